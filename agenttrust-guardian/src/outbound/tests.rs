//! Real calls to real sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::AUTHORIZATION;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

/// The time after which a test fails that would otherwise hang.
const LONG: Duration = Duration::from_secs(20);

/// Returns one that may call this machine.
fn open() -> Outbound {
    Outbound::new(Reach::new(true, &[]))
}

fn strict() -> Outbound {
    Outbound::new(Reach::default())
}

/// Answers every connection with `answer` and closes it, and counts them.
async fn receiver(answer: String) -> (SocketAddr, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.send_modify(|count| *count += 1);
            let _ = socket.read(&mut [0; 4_096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, counted)
}

/// Returns a server of one connection, at whose hands it is once the head of the request was read.
async fn by_hand() -> (String, tokio::task::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4_096]).await;
        socket
    });
    (url, served)
}

async fn post(outbound: &Outbound, url: &str) -> Result<StatusCode, Error> {
    outbound.post(outbound.target(url)?, HeaderMap::new(), "{}".to_owned()).await
}

fn outgoing(outbound: &Outbound, url: &str) -> Outgoing {
    Outgoing {
        method: Method::GET,
        target: outbound.target(url).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        first_byte_within: LONG,
    }
}

async fn get(url: &str) -> Result<Incoming, Error> {
    open().send(outgoing(&open(), url)).await
}

fn told(error: Error) -> String {
    match error {
        Error::Unreached(_) | Error::NoAnswer(_) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn redirect_is_followed_nowhere_and_told_without_what_is_as_good_as_a_password() {
    let (elsewhere, visits) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let port = elsewhere.port();
    for (status, location, to) in [
        (301, format!("http://{elsewhere}/hunter2"), format!("http://127.0.0.1:{port}")),
        (302, "http://169.254.169.254/latest/meta-data".into(), "http://169.254.169.254".into()),
        (303, "https://ada:hunter2@example.com/?a=hunter2".into(), "https://example.com".into()),
        (307, format!("//localhost:{port}/"), format!("http://localhost:{port}")),
        (308, "/hunter2".into(), "another path of the same host".into()),
        (307, "file:///etc/passwd".into(), "nowhere that can be read".into()),
        (300, String::new(), "another path of the same host".into()),
    ] {
        let moved =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let (address, _) = receiver(moved).await;
        let mut call = outgoing(&open(), &format!("http://{address}/"));
        call.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"));
        let error = open().send(call).await.unwrap_err();
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(error, Error::Redirected { status, to });
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(post(&open(), &format!("http://{address}/")).await.unwrap_err(), error);
    }
    let (address, _) = receiver("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into()).await;
    let error = get(&format!("http://{address}/")).await.unwrap_err();
    assert!(error.to_string().contains("nowhere that can be read"), "{error}");
    let (address, _) = receiver("HTTP/1.1 304 Not Modified\r\n\r\n".into()).await;
    assert_eq!(get(&format!("http://{address}/")).await.unwrap().status, 304);
    assert_eq!(*visits.borrow(), 0);
}

#[tokio::test]
async fn answer_without_end_is_hung_up_on() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20));
    let (address, _) = receiver(endless).await;
    let begun = Instant::now();
    assert_eq!(post(&open(), &format!("http://{address}/")).await.unwrap(), 200);
    assert!(begun.elapsed() < WEBHOOK_TIMEOUT);
}

#[tokio::test]
async fn address_is_looked_at_when_it_is_connected_to_and_not_only_when_it_is_given() {
    let (address, visits) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let port = address.port();
    // The URL passed when it was looked at; by now this machine may not be called any more.
    let passed = open().target(&format!("http://localhost:{port}/")).unwrap();
    let refused = strict().post(passed, HeaderMap::new(), String::new()).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    // The URL passes, and its name stands for an address that was opened and for this one, which was not.
    let ranges = ["::1", "10.0.0.0/8"].map(|range| range.parse().unwrap());
    let url = format!("http://localhost:{port}/");
    told(post(&Outbound::new(Reach::new(false, &ranges)), &url).await.unwrap_err());
    assert_eq!(*visits.borrow(), 0);
}

#[tokio::test]
async fn range_that_was_opened_is_called_without_tls() {
    let (address, visits) = receiver("HTTP/1.1 204 No\r\n\r\n".into()).await;
    let outbound = Outbound::new(Reach::new(false, &["127.0.0.0/8".parse().unwrap()]));
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", address.port());
        assert_eq!(post(&outbound, &url).await.unwrap(), 204, "{host}");
    }
    assert_eq!(*visits.borrow(), 2);
}

#[tokio::test]
async fn error_tells_why_and_not_where() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = told(post(&open(), &format!("http://{address}/secret-path")).await.unwrap_err());
    assert!(error.starts_with("no answer: ") && error.contains("refused"), "{error}");
    assert!(!error.contains("secret-path"), "{error}");
    let shown = format!("{:?}", outgoing(&open(), "http://127.0.0.1/secret-path"));
    assert!(!shown.contains("secret-path"), "{shown}");
}

#[tokio::test]
async fn headers_that_are_the_connections_own_are_not_a_callers_to_set() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut call = Outgoing { method: Method::POST, body: "{}".into(), ..outgoing(&open(), &url) };
    for (name, value) in [
        ("host", "elsewhere.example"),
        ("content-length", "9"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic eA=="),
        ("x-other", "kept"),
    ] {
        call.headers.insert(name, HeaderValue::from_static(value));
    }
    let asked = tokio::spawn(async move { open().send(call).await });
    let (mut socket, from) = listener.accept().await.unwrap();
    let mut head = vec![0; 4_096];
    let read = socket.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
    asked.abort();
    assert!(head.contains("x-other: kept") && head.contains("content-length: 2"), "{head}");
    for other in ["elsewhere", "chunked", "upgrade", "proxy-", "content-length: 9"] {
        assert!(!head.contains(other), "{from} {head}");
    }
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_given_up_on_in_time() {
    let (url, served) = by_hand().await;
    let begun = Instant::now();
    let call =
        Outgoing { first_byte_within: Duration::from_millis(300), ..outgoing(&open(), &url) };
    let error = told(open().send(call).await.unwrap_err());
    assert!(error.contains("none came within 300ms"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    // And hung up on.
    let mut socket = served.await.unwrap();
    assert_eq!(tokio::time::timeout(LONG, socket.read(&mut [0; 9])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn pieces_of_an_answer_come_as_they_are_sent() {
    let (url, served) = by_hand().await;
    let hand = tokio::spawn(async move {
        let mut socket = served.await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head).await.unwrap();
        socket
    });
    let mut answer = get(&url).await.unwrap();
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let mut socket = hand.await.unwrap();
    for text in ["one", "two"] {
        socket.write_all(format!("3\r\n{text}\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer.chunk(LONG).await.unwrap().unwrap(), text);
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(answer.chunk(LONG).await.unwrap(), None);
    assert_eq!(answer.chunk(LONG).await.unwrap(), None);
}

#[tokio::test]
async fn answer_that_stalls_or_is_cut_off_is_never_taken_for_all_of_it() {
    let (url, served) = by_hand().await;
    let hand = async {
        let mut socket = served.await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        socket
    };
    let (answer, socket) = tokio::join!(get(&url), hand);
    let mut answer = answer.unwrap();
    assert_eq!(answer.chunk(LONG).await.unwrap().unwrap(), "half");
    let stalled = told(answer.chunk(Duration::from_millis(50)).await.unwrap_err());
    assert!(stalled.contains("nothing more came within 50ms"), "{stalled}");
    assert_eq!(told(answer.chunk(LONG).await.unwrap_err()), stalled);
    drop((answer, socket));
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let (address, _) = receiver(cut.into()).await;
        let answer = get(&format!("http://{address}/")).await.unwrap();
        told(answer.whole(1_000, LONG).await.unwrap_err());
    }
}

#[tokio::test]
async fn answer_in_one_is_bounded_in_bytes_and_in_time() {
    let body = "x".repeat(1_000);
    for head in ["content-length: 1000", "connection: close"] {
        let (address, _) = receiver(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")).await;
        let answer = async || get(&format!("http://{address}/")).await.unwrap();
        assert_eq!(answer().await.whole(1_000, LONG).await.unwrap(), body);
        let error = answer().await.whole(999, LONG).await.unwrap_err();
        assert_eq!(error, Error::TooLong(999));
        assert!(error.to_string().contains("longer than 999 bytes"), "{error}");
    }
    // One byte at a time, for ever.
    let (url, served) = by_hand().await;
    let drip = tokio::spawn(async move {
        let mut socket = served.await.unwrap();
        let mut sent = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            sent = socket.write_all(b"x").await;
        }
    });
    let answer = get(&url).await.unwrap();
    let error = told(answer.whole(1 << 20, Duration::from_millis(300)).await.unwrap_err());
    assert!(error.contains("not all there within 300ms"), "{error}");
    // It was hung up on, too.
    tokio::time::timeout(LONG, drip).await.unwrap().unwrap();
}

#[tokio::test]
async fn answer_that_nobody_reads_is_held_back_at_its_sender() {
    let (url, served) = by_hand().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let flood = tokio::spawn(async move {
        let mut socket = served.await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let piece = vec![b'x'; 64 << 10];
        while socket.write_all(&piece).await.is_ok() {
            counted.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    let answer = get(&url).await.unwrap();
    // What systems keep of a connection is some of it; without limit it would be gigabytes.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let held = sent.load(Ordering::Relaxed);
    assert!(held < 32 << 20, "{held} bytes");
    drop(answer);
    tokio::time::timeout(LONG, flood).await.unwrap().unwrap();
}

#[tokio::test]
async fn call_that_is_not_waited_for_any_more_is_hung_up_on() {
    let (url, served) = by_hand().await;
    let call = tokio::spawn(async move { get(&url).await });
    let mut socket = served.await.unwrap();
    call.abort();
    assert_eq!(tokio::time::timeout(LONG, socket.read(&mut [0; 9])).await.unwrap().unwrap(), 0);
}

#[test]
fn answer_goes_on_when_the_runtime_that_asked_is_gone() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let server =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (url, served) = server.block_on(by_hand());
    let hand = server.spawn(async move {
        let mut socket = served.await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none").await.unwrap();
        socket
    });
    // Neither has timers or sockets.
    let mut answer = runtime().block_on(get(&url)).unwrap();
    assert_eq!(runtime().block_on(answer.chunk(LONG)).unwrap().unwrap(), "one");
    server.block_on(async { hand.await.unwrap().write_all(b"two").await.unwrap() });
    assert_eq!(runtime().block_on(answer.whole(6, LONG)).unwrap(), "two");
}
