//! Connections that are kept: what becomes of calls when they die, and of answers that are not as long as they say.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust::{Action, AgentTrustClient, AgentTrustError, AgentTrustGuard, TransportErrorKind};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// The number of connections that are kept before they die.
const KEPT: usize = 6;

/// A request: its method and path, and its idempotency key.
type Asked = (String, Option<String>);

/// The end of the connections that are kept.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    /// The next request is met by a reset, as something on the way does that has forgotten them.
    Reset,
    /// The next request is met by nothing.
    Silence,
}

/// A gateway that keeps connections alive, until they die all at once. Those that are made later live.
struct Gateway {
    url: String,
    dead: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepted: Arc<AtomicUsize>,
}

impl Gateway {
    async fn new(death: Death) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            dead: Arc::default(),
            asked: Arc::default(),
            accepted: Arc::default(),
        };
        let (dead, asked) = (Arc::clone(&gateway.dead), Arc::clone(&gateway.asked));
        let accepted = Arc::clone(&gateway.accepted);
        let together = Arc::new(Barrier::new(KEPT));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (dead, asked) = (Arc::clone(&dead), Arc::clone(&asked));
                let together = Arc::clone(&together);
                tokio::spawn(async move {
                    let mortal = !dead.load(Ordering::SeqCst);
                    while let Some(request) = request(&mut socket).await {
                        asked.lock().unwrap().push(request);
                        if mortal && dead.load(Ordering::SeqCst) {
                            return die(socket, death).await;
                        }
                        if mortal {
                            // So that each has a connection of its own.
                            together.wait().await;
                        }
                        answer(&mut socket, &json!({ "allowed": true, "agents": [] }).to_string())
                            .await;
                    }
                });
            }
        });
        gateway
    }

    fn client(&self) -> AgentTrustClient {
        let timeout = Duration::from_millis(1_500);
        AgentTrustClient::builder().base_url(&self.url).timeout(timeout).build().unwrap()
    }

    /// Makes the client keep connections, and all of them die.
    async fn dies(&self, client: &AgentTrustClient) {
        let calls = (0..KEPT).map(|_| async { client.agents().list().await.unwrap() });
        futures_util::future::join_all(calls).await;
        assert_eq!(self.accepted.load(Ordering::SeqCst), KEPT);
        self.dead.store(true, Ordering::SeqCst);
        self.asked.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn request(socket: &mut TcpStream) -> Option<Asked> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.into_iter().find(|(other, _)| *other == name).map(|(_, value)| value)
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                let line = head.lines().next().unwrap();
                let line = line.trim_end_matches(" HTTP/1.1").to_owned();
                return Some((line, header("idempotency-key").map(str::to_owned)));
            }
        }
        if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

async fn answer(socket: &mut TcpStream, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

async fn die(socket: TcpStream, death: Death) {
    match death {
        // Closed with bytes unread, or at once, a socket is reset.
        Death::Reset => socket.set_zero_linger().unwrap(),
        Death::Silence => std::future::pending().await,
    }
}

fn guard(client: AgentTrustClient) -> AgentTrustGuard {
    AgentTrustGuard::builder(client, "agent-1").timeout(Duration::from_secs(10)).build()
}

#[tokio::test]
async fn check_takes_a_fresh_connection_where_every_one_that_was_kept_died_at_once() {
    let gateway = Gateway::new(Death::Reset).await;
    let client = gateway.client();
    gateway.dies(&client).await;
    drop(guard(client).authorize(Action::new("search")).await.unwrap());
    let asked = gateway.asked();
    let keys: HashSet<_> = asked.iter().map(|(_, key)| key.clone().unwrap()).collect();
    assert_eq!((asked.len(), keys.len()), (2, 1), "asked twice, under one key: {asked:?}");
}

#[tokio::test]
async fn calls_that_break_together_find_fresh_connections_together() {
    let gateway = Gateway::new(Death::Reset).await;
    let client = gateway.client();
    gateway.dies(&client).await;
    let calls = (0..KEPT).map(|_| async { client.agents().list().await });
    for found in futures_util::future::join_all(calls).await {
        assert!(found.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_asked_once() {
    let gateway = Gateway::new(Death::Reset).await;
    let client = gateway.client();
    gateway.dies(&client).await;
    let error = client.agents().create(&Default::default()).await.unwrap_err();
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), TransportErrorKind::Broken);
    assert_eq!(gateway.asked(), [("POST /api/v1/agents".to_owned(), None)]);
    // What is asked after it does not find those that died with it.
    let error = client.agents().create(&Default::default()).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::Json(_)), "{error:?}");
}

#[tokio::test]
async fn call_after_one_that_got_no_answer_finds_a_fresh_connection() {
    let gateway = Gateway::new(Death::Silence).await;
    let client = gateway.client();
    gateway.dies(&client).await;
    let error = client.agents().list().await.unwrap_err();
    let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), TransportErrorKind::Timeout);
    client.agents().list().await.unwrap();
}

/// Answers each request on a connection with these, one after the other, byte by byte as they are.
async fn saying(answers: Vec<String>, closes: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (answers, count) = (answers.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                while request(&mut socket).await.is_some() {
                    let asked = count.fetch_add(1, Ordering::SeqCst);
                    let said = &answers[asked.min(answers.len() - 1)];
                    if socket.write_all(said.as_bytes()).await.is_err() || closes {
                        return;
                    }
                }
            });
        }
    });
    (url, asked)
}

/// Returns a decision in an answer that says that it is so much longer than it is.
fn decision(allowed: bool, longer: isize) -> String {
    let body = json!({ "check_id": "chk_1", "allowed": allowed }).to_string();
    let says = body.len().checked_add_signed(longer).unwrap();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {says}\r\n\r\n{body}")
}

fn guard_at(url: &str) -> AgentTrustGuard {
    let client = AgentTrustClient::builder().base_url(url).build().unwrap();
    let guard = AgentTrustGuard::builder(client, "agent-1").fail_open(true);
    guard.timeout(Duration::from_millis(1_500)).build()
}

#[tokio::test]
async fn answer_that_is_shorter_than_it_says_allows_nothing() {
    for (closes, says) in [(true, "broke"), (false, "no answer from the Guardian in time")] {
        let (url, asked) = saying(vec![decision(true, 10)], closes).await;
        let error = guard_at(&url).authorize(Action::new("wipe")).await.unwrap_err();
        assert_eq!(error.code(), "GUARDIAN_UNAVAILABLE", "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), if closes { 2 } else { 1 });
    }
}

#[tokio::test]
async fn answer_that_is_longer_than_it_says_allows_nothing() {
    let (url, _) = saying(vec![decision(true, -1)], false).await;
    let error = guard_at(&url).authorize(Action::new("wipe")).await.unwrap_err();
    assert_eq!(error.code(), "JSON_ERROR", "{error}");
}

#[tokio::test]
async fn rest_of_an_answer_is_no_answer_to_the_next_question() {
    // Behind the first is one that would allow whatever is asked next.
    let smuggled = format!("{}{}", decision(false, 0), decision(true, 0));
    for _ in 0..20 {
        let (url, asked) = saying(vec![smuggled.clone(), decision(false, 0)], false).await;
        let guard = guard_at(&url);
        for _ in 0..3 {
            let error = guard.authorize(Action::new("wipe")).await.unwrap_err();
            assert_eq!(error.code(), "ACTION_DENIED", "{error}");
        }
        assert!(asked.load(Ordering::SeqCst) >= 3);
    }
}
