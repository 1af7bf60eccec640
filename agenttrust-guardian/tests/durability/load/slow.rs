//! Callers that are slow: with a head, with a body, with reading.

use std::time::{Duration, Instant};

use agenttrust_testkit::eventually_within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::organisation::{connected, number};
use crate::program::{DEV_KEY, Program, text};

const WHOLE: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BEGUN: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-";
/// Ten times what a head may take.
const CLOSED: Duration = Duration::from_secs(100);

/// Reads until the connection is closed; what was read, and how long that took.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let (begun, mut read) = (Instant::now(), Vec::new());
    let all = tokio::time::timeout(CLOSED, stream.read_to_end(&mut read));
    let _ = all.await.expect("it is not closed");
    (text(&read), begun.elapsed())
}

#[tokio::test]
async fn head_of_every_request_has_a_deadline() {
    let program = Program::serve(&["--dev"], &[]).await;
    let first = async {
        let mut stream = connected(&program, BEGUN).await.unwrap();
        rest(&mut stream).await
    };
    let second = async {
        let mut stream = connected(&program, WHOLE).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        stream.write_all(BEGUN).await.unwrap();
        rest(&mut stream).await
    };
    // It came along with the request before it: nothing more is read that would tell of it.
    let along = async {
        let begun = [WHOLE, BEGUN, "y".repeat(4_096).as_bytes()].concat();
        let mut stream = connected(&program, &begun).await.unwrap();
        rest(&mut stream).await
    };
    let rests = async {
        let mut stream = connected(&program, WHOLE).await.unwrap();
        tokio::time::sleep(Duration::from_secs(15)).await;
        let last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(last).await.unwrap();
        rest(&mut stream).await
    };
    // A body that does not say how long it is, of twenty kilobytes.
    let chunks = async {
        let mut asks = format!(
            "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {DEV_KEY}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let agent = r#"{"name":"worker","capabilities":["*"]}"#;
        for chunk in [agent.to_owned(), " ".repeat(20_000)] {
            asks.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        }
        asks.push_str("0\r\n\r\n");
        let mut stream = connected(&program, asks.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(15)).await;
        let last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        // Where it is closed, reading tells.
        let _ = stream.write_all(last).await;
        rest(&mut stream).await
    };
    let (first, second, along, rests, chunks) = tokio::join!(first, second, along, rests, chunks);
    assert!(first.0.is_empty(), "{first:?}");
    let said = &chunks.0;
    assert!(said.starts_with("HTTP/1.1 201") && said.contains("HTTP/1.1 200"), "{said}");
    for (what, (said, took)) in [("second", &second), ("along", &along)] {
        println!("{what}: closed after {took:?}");
        assert_eq!(said.matches("HTTP/1.1 200").count(), 1, "{what}: {said}");
    }
    assert_eq!(rests.0.matches("HTTP/1.1 200").count(), 2, "a rest is no head: {rests:?}");
}

#[tokio::test]
async fn head_that_is_too_large_is_refused() {
    let program = Program::serve(&["--dev"], &[]).await;
    let long = [BEGUN, "y".repeat(100 << 10).as_bytes()].concat();
    let mut stream = connected(&program, &long).await.unwrap();
    let (said, _) = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn body_that_trickles_is_answered_408_and_its_connection_closed() {
    let program = Program::serve(&["--dev"], &[]).await;
    let head = format!(
        "POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {DEV_KEY}\r\n\
         Content-Length: 1000000\r\n\r\n"
    );
    let stream = connected(&program, head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let drip = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let answer = async {
        let mut said = Vec::new();
        let _ = read.read_to_end(&mut said).await;
        text(&said)
    };
    let both = async { tokio::join!(drip, answer).1 };
    let said = tokio::time::timeout(CLOSED, both).await.expect("it is read for ever");
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("REQUEST_TIMEOUT"), "{said}");
    assert!(said.contains("agenttrust-guardian: 1"), "{said}");
}

#[tokio::test]
async fn caller_that_does_not_read_its_answers_is_closed() {
    let program = Program::serve(&["--dev"], &[]).await;
    let mut deaf = TcpStream::connect(program.address).await.unwrap();
    let ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2_000);
    // As much as is taken; nothing of the answers is read.
    let _ = tokio::time::timeout(Duration::from_secs(2), deaf.write_all(&ask)).await;
    // The connection that asks is one.
    let gone = async || number(&program, "agenttrust_connections").await <= 1.0;
    eventually_within(Duration::from_secs(300), "it stays for ever", gone).await;
}

#[tokio::test]
async fn http2_is_spoken_without_being_asked_for_and_bounded() {
    let program = Program::serve(&["--dev"], &[]).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let mut stream = connected(&program, preface).await.unwrap();
    let mut settings = vec![0; 9];
    stream.read_exact(&mut settings).await.unwrap();
    let length = (usize::from(settings[1]) << 8) + usize::from(settings[2]);
    assert_eq!(settings[3], 4, "it begins with its settings");
    let mut said = vec![0; length];
    stream.read_exact(&mut said).await.unwrap();
    let value = |id: u8| {
        said.chunks(6)
            .find(|setting| setting[..2] == [0, id])
            .map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
    };
    assert_eq!(value(3), Some(128), "how many requests at once");
    assert_eq!(value(6), Some(64 << 10), "how long a head may be");
}
