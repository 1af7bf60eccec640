//! What counts as a Guardian that is away, over real sockets: a guard that fails open runs a call only
//! where nothing of it can have been sent.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// The time by which a guard that gave the Guardian a pause asks again.
const LONGEST_PAUSE: Duration = Duration::from_millis(5_100);

/// A server that is stopped, its connections with it, when this is dropped.
struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Creates one that treats every connection so.
    async fn new<F>(treat: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::at("127.0.0.1:0".parse().unwrap(), treat).await
    }

    async fn at<F>(address: SocketAddr, treat: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                open.spawn(treat(socket));
            }
        });
        Self { address, accepting }
    }

    /// Creates one that accepts and never answers.
    async fn silent() -> Self {
        Self::new(hold).await
    }

    fn guard(&self, timeout: u64) -> AgentTrustGuard {
        guard_at(self.address, timeout)
    }

    /// Stops it and waits until nothing is there any more.
    async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn guard_at(address: SocketAddr, timeout: u64) -> AgentTrustGuard {
    let client = AgentTrustClient::builder().base_url(format!("http://{address}")).build().unwrap();
    AgentTrustGuard::builder(client, "agent-1")
        .fail_open(true)
        .timeout(Duration::from_millis(timeout))
        .build()
}

async fn hold(socket: TcpStream) {
    let _open = socket;
    std::future::pending().await
}

async fn read_request(socket: &mut TcpStream) {
    let mut request = vec![0; 8192];
    assert!(socket.read(&mut request).await.unwrap() > 0);
}

/// Reads the request and answers it with this, then closes.
fn answering(
    answer: &'static str,
) -> impl Fn(TcpStream) -> futures_util::future::BoxFuture<'static, ()> {
    move |mut socket| {
        Box::pin(async move {
            read_request(&mut socket).await;
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
    }
}

async fn never_runs(guard: &AgentTrustGuard) {
    let (output, ran) = run(guard, Action::new("wipe").effect(Effect::Destructive)).await;
    let error = output.unwrap_err();
    assert_eq!((error.code(), ran), ("GUARDIAN_UNAVAILABLE", 0), "{error}");
    let message = error.to_string();
    assert!(message.contains("did not run") && message.contains("call again"), "{message}");
    assert_eq!(guard.stats().failed_open, 0);
}

#[tokio::test]
async fn slow_guardian_opens_no_fail_open_guard() {
    let server = Server::silent().await;
    let guard = server.guard(100);
    // Past the fifth the guard pauses, and remembers why.
    for _ in 0..12 {
        never_runs(&guard).await;
    }
}

#[tokio::test]
async fn an_answer_after_the_guards_time_opens_nothing() {
    let server = Server::new(|mut socket| async move {
        read_request(&mut socket).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let _ = socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"allowed\":true}")
            .await;
    })
    .await;
    never_runs(&server.guard(100)).await;
}

#[tokio::test]
async fn a_connection_that_breaks_opens_nothing() {
    let broken = [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"allowed\": tr",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense",
        "nonsense\r\n\r\n",
    ];
    for answer in broken {
        let server = Server::new(answering(answer)).await;
        never_runs(&server.guard(5_000)).await;
    }
}

#[tokio::test]
async fn a_guardian_that_went_down_with_the_request_opens_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // From here on there is no connection to be made.
        drop(listener);
        read_request(&mut socket).await;
    });
    let guard = guard_at(address, 5_000);
    never_runs(&guard).await;
    let (_, ran) = run(&guard, Action::new("wipe")).await;
    assert_eq!(ran, 1, "by then it is away");
}

#[tokio::test]
async fn a_503_opens_a_guard_only_where_the_guardian_did_not_send_it() {
    let answers = [
        ("HTTP/1.1 503 x\r\ncontent-length: 6\r\n\r\n<html>", 1),
        ("HTTP/1.1 502 x\r\ncontent-length: 0\r\n\r\n", 1),
        ("HTTP/1.1 503 x\r\nretry-after: 0\r\ncontent-length: 15\r\n\r\n{\"error\": \"it\"}", 1),
        ("HTTP/1.1 504 x\r\ncontent-length: 30\r\n\r\n{\"error\": \"A\", \"message\": \"b\"}", 0),
        ("HTTP/1.1 503 x\r\nAgentTrust-Guardian: 1\r\ncontent-length: 6\r\n\r\n<html>", 0),
    ];
    for (answer, runs) in answers {
        let server = Server::new(answering(answer)).await;
        let guard = server.guard(5_000);
        assert_eq!(run(&guard, Action::new("wipe")).await.1, runs, "{answer}");
    }
}

#[tokio::test]
async fn a_pause_for_slow_answers_opens_nothing_until_the_guardian_is_found_away() {
    let server = Server::silent().await;
    let guard = server.guard(100);
    for _ in 0..5 {
        never_runs(&guard).await;
    }
    server.stop().await;
    never_runs(&guard).await;
    tokio::time::sleep(LONGEST_PAUSE).await;
    assert_eq!(run(&guard, Action::new("wipe")).await.1, 1, "asked after the pause, and away");
    assert_eq!(run(&guard, Action::new("wipe")).await.1, 1, "and so paused for another reason");
}

#[tokio::test]
async fn a_pause_for_an_outage_opens_nothing_while_the_guardian_is_asked_again() {
    let address = Server::silent().await.stop().await;
    let guard = guard_at(address, 300);
    for _ in 0..6 {
        assert_eq!(run(&guard, Action::new("wipe")).await.1, 1);
    }
    let _slow = Server::at(address, hold).await;
    tokio::time::sleep(LONGEST_PAUSE).await;
    let calls = (0..10).map(|_| run(&guard, Action::new("wipe")));
    let ran: u32 = futures_util::future::join_all(calls).await.iter().map(|(_, ran)| ran).sum();
    assert_eq!(ran, 0, "it is back, and slow");
}

#[tokio::test]
async fn a_held_call_stays_blocked_while_the_guard_pauses_for_slow_answers() {
    let held = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 75\r\n\r\n\
                {\"allowed\": false, \"elevation_required\": true, \"approval_id\": \"apr_1\"}     ";
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let server = Server::new(move |mut socket| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            read_request(&mut socket).await;
            if first {
                socket.write_all(held.as_bytes()).await.unwrap();
            } else {
                hold(socket).await;
            }
        }
    })
    .await;
    let guard = server.guard(100);
    let action = || Action::new("wipe").effect(Effect::Destructive).input("a");
    let (output, ran) = run(&guard, action()).await;
    assert_eq!((output.unwrap_err().code(), ran), ("ELEVATION_REQUIRED", 0));
    for _ in 0..12 {
        assert_eq!(run(&guard, action()).await.1, 0);
        never_runs(&guard).await;
    }
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 12, "asked {asked} times: a slow Guardian is given its pauses");
    // Even where the Guardian is then really away.
    server.stop().await;
    tokio::time::sleep(LONGEST_PAUSE).await;
    assert_eq!(run(&guard, Action::new("other")).await.1, 1, "nothing was sent");
    assert_eq!(run(&guard, action()).await.1, 0, "held a moment ago");
}
