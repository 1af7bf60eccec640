//! Two requests on one connection, of which the first is answered before its body was read: the second is answered too,
//! or the first says that the connection ends with it.

use std::time::{Duration, Instant};

use agenttrust_testkit::UPLOADERS;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::program::{DEV_KEY, LONG, Program};

/// A request that is answered without its body: its line, headers of it, and the status.
type Early = (String, &'static str, u16);

/// An answer on the wire.
#[derive(Debug)]
struct ReceivedAnswer {
    status: u16,
    closes: bool,
}

struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn open(program: &Program) -> Self {
        Self(BufReader::new(TcpStream::connect(program.address).await.unwrap()))
    }

    /// Sends a request; of its body what the other side takes.
    async fn ask(&mut self, line: &str, headers: &str, body: usize) -> ReceivedAnswer {
        let length = if headers.contains("chunked") {
            String::new()
        } else {
            format!("content-length: {body}\r\n")
        };
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}{length}\r\n");
        self.0.get_mut().write_all(head.as_bytes()).await.unwrap();
        let body = match headers.contains("chunked") {
            true => {
                [format!("{body:x}\r\n").as_bytes(), &vec![b' '; body], b"\r\n0\r\n\r\n"].concat()
            }
            false => vec![b' '; body],
        };
        let (reading, mut writing) = tokio::io::split(&mut self.0);
        let mut reading = BufReader::new(reading);
        // The answer may be there before all of it is sent, and then nobody takes the rest.
        let sends = async {
            let _ = writing.write_all(&body).await;
        };
        let reads = tokio::time::timeout(LONG, read(&mut reading));
        let (heard, ()) = tokio::join!(reads, sends);
        assert!(reading.buffer().is_empty(), "more than one answer came");
        heard.expect("no answer came")
    }

    /// Returns whether the other side has ended it.
    async fn is_over(&mut self) -> bool {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_secs(5), self.0.read(&mut byte)).await;
        // Broken off is as good as ended.
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

/// Reads one answer, body and all.
async fn read(reading: &mut (impl AsyncBufReadExt + Unpin)) -> ReceivedAnswer {
    let mut line = String::new();
    reading.read_line(&mut line).await.unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("{line:?} is no answer"));
    let (mut closes, mut length) = (false, 0);
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).await.unwrap();
        let line = line.trim().to_ascii_lowercase();
        let Some((name, value)) = line.split_once(": ") else { break };
        match name {
            "connection" => closes |= value.contains("close"),
            "content-length" => length = value.parse().unwrap(),
            "transfer-encoding" => panic!("no such answer is in pieces"),
            _ => {}
        }
    }
    reading.read_exact(&mut vec![0; length]).await.unwrap();
    ReceivedAnswer { status, closes }
}

async fn early_ones(program: &Program) -> Vec<Early> {
    let key = "x-api-key: sk_test_dev\r\n";
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", DEV_KEY, &create).await;
    let agent = agent["id"].as_str().unwrap();
    let at = |path: &str| format!("POST {path}");
    vec![
        (format!("POST /api/v1/agents/{agent}/challenge"), key, 200),
        (at("/api/v1/policies/reload"), key, 409),
        (at("/api/v1/agenttrust/check"), "", 401),
        (at("/api/v1/agenttrust/check"), "authorization: Bearer eyJ.e30.x\r\n", 401),
        (at("/mcp/mcp_x"), "", 401),
        (at("/mcp/mcp_x"), "authorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n", 404),
        (at("/a2a"), "", 401),
        (format!("POST /a2a/agents/{agent}"), "", 401),
        (at("/nothing/here"), "", 404),
        ("PATCH /health".to_owned(), "", 405),
        ("GET /health".to_owned(), "", 200),
        ("GET /api/v1/agents".to_owned(), key, 200),
        ("GET /openapi.json".to_owned(), "", 200),
        ("POST http://elsewhere.example/api/v1/agents".to_owned(), key, 421),
    ]
}

#[tokio::test]
async fn connection_is_used_again_after_an_answer_that_read_no_body_unless_that_says_otherwise() {
    let program = Program::serve(&["--dev"], &[]).await;
    for (line, headers, status) in early_ones(&program).await {
        for (body, coded) in [(1, ""), (60_000, ""), (60_000, "transfer-encoding: chunked\r\n")] {
            let mut wire = Wire::open(&program).await;
            let headers = format!("{headers}{coded}");
            for _ in 0..2 {
                let heard = wire.ask(&line, &headers, body).await;
                assert_eq!((heard.status, heard.closes), (status, false), "{line} {body} {coded}");
            }
            assert_eq!(wire.ask("GET /health", "", 0).await.status, 200, "{line} {body} {coded}");
        }
        for coded in ["", "transfer-encoding: chunked\r\n"] {
            let headers = format!("{headers}{coded}");
            goes_on_or_says_that_it_ends(
                &program,
                (line.as_str(), headers.as_str(), status),
                3 << 20,
            )
            .await;
        }
    }
    // One that is read, and is too large.
    for coded in ["", "transfer-encoding: chunked\r\n"] {
        let headers = format!("x-api-key: {DEV_KEY}\r\n{coded}");
        for body in [3 << 20, 40 << 20] {
            let early = ("POST /api/v1/agents", &*headers, 413);
            goes_on_or_says_that_it_ends(&program, early, body).await;
        }
    }
}

async fn goes_on_or_says_that_it_ends(
    program: &Program,
    (line, headers, status): (&str, &str, u16),
    body: usize,
) {
    let mut wire = Wire::open(program).await;
    let heard = wire.ask(line, headers, body).await;
    assert_eq!(heard.status, status, "{line} {headers} {body}");
    match heard.closes {
        true => assert!(wire.is_over().await, "{line} {headers} {body}"),
        false => assert_eq!(wire.ask("GET /health", "", 0).await.status, 200, "{line} {body}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_before_the_body_reaches_the_programs_of_others() {
    let program = Program::serve(&["--dev"], &[]).await;
    for uploader in UPLOADERS {
        for (path, status) in [("/mcp/mcp_x", 401), ("/nothing/here", 404), ("/health", 405)] {
            for (bytes, times) in [(1, 1), (60_000, 5), (3 << 20, 5), (40 << 20, 1)] {
                let url = program.url(path);
                let read = tokio::task::spawn_blocking(move || uploader.post(&url, bytes, times));
                let Some(read) = read.await.unwrap() else { continue };
                assert_eq!(read, vec![status.to_string(); times], "{uploader:?} {path} {bytes}");
            }
        }
    }
}

#[tokio::test]
async fn body_that_is_late_holds_up_no_answer_and_one_that_was_not_asked_for_is_not() {
    let program = Program::serve(&["--dev"], &[]).await;
    let begun = Instant::now();
    let mut wire = TcpStream::connect(program.address).await.unwrap();
    let head = "POST /api/v1/agenttrust/check HTTP/1.1\r\nhost: localhost\r\n";
    wire.write_all(format!("{head}content-length: 10\r\n\r\n{{").as_bytes()).await.unwrap();
    let heard = read(&mut BufReader::new(&mut wire)).await;
    assert_eq!((heard.status, heard.closes), (401, true));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Nobody is told to go on with a body that nobody reads.
    let mut wire = TcpStream::connect(program.address).await.unwrap();
    let asks = format!("{head}expect: 100-continue\r\ncontent-length: 10\r\n\r\n");
    wire.write_all(asks.as_bytes()).await.unwrap();
    let heard = read(&mut BufReader::new(&mut wire)).await;
    assert_eq!((heard.status, heard.closes), (401, true));
}

#[tokio::test]
async fn on_http2_such_an_answer_ends_nothing_but_itself() {
    let program = Program::serve(&["--dev"], &[]).await;
    let client = reqwest::Client::builder().no_proxy().timeout(LONG).http2_prior_knowledge();
    let client = client.pool_max_idle_per_host(1).build().unwrap();
    for body in [1, 60_000, 3 << 20] {
        for _ in 0..3 {
            let sent = client.post(program.url("/mcp/mcp_x")).body(vec![b' '; body]).send().await;
            let answer = sent.unwrap();
            assert_eq!(answer.status(), 401);
            assert!(!answer.headers().contains_key("connection"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn body_that_is_longer_or_shorter_than_it_says_changes_nothing_and_is_no_other_request() {
    let program = Program::serve(&["--dev"], &[]).await;
    let create = r#"{"name":"w","capabilities":["*"]}"#;
    let said = async |length: usize, body: &str, ends: bool| {
        let mut wire = TcpStream::connect(program.address).await.unwrap();
        let head = "POST /api/v1/agents HTTP/1.1\r\nhost: localhost\r\n";
        let head = format!("{head}x-api-key: {DEV_KEY}\r\ncontent-length: {length}\r\n\r\n");
        wire.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        if ends {
            wire.shutdown().await.unwrap();
        }
        let mut answer = String::new();
        let read = tokio::time::timeout(LONG, wire.read_to_string(&mut answer)).await;
        read.expect("the connection goes on").unwrap();
        answer
    };
    // What is too much is the beginning of another request, which is none.
    let longer = said(create.len() - 1, &format!("{create}\r\n\r\n"), false).await;
    assert!(longer.starts_with("HTTP/1.1 400 "), "{longer}");
    assert_eq!(longer.matches("HTTP/1.1 ").count(), 2, "{longer}");
    let shorter = said(create.len() + 1, create, true).await;
    assert!(!shorter.contains("HTTP/1.1 2"), "{shorter}");
    let list = reqwest::Client::new().get(program.url("/api/v1/agents"));
    let list = list.header("x-api-key", DEV_KEY).send().await.unwrap().text().await.unwrap();
    assert!(!list.contains("\"w\""), "{list}");
}
