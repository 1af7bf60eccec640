//! How much memory messages take while they are refused and while they are checked: counted by the
//! allocator of this program, in which the server runs and next to nothing else.

use std::net::SocketAddr;

use agenttrust::{AgentTrustClient, AgentTrustGuard};
use agenttrust_tower::McpHttpLayer;
use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use peak_alloc::PeakAlloc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::service_fn;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const LIMIT: usize = 512 * 1024;

async fn check(request: Request<Bytes>) -> std::io::Result<Response<Full<Bytes>>> {
    let answer = match request.uri().path() {
        "/api/v1/agenttrust/check" => r#"{"allowed":false,"check_id":"chk_1","reason":"no"}"#,
        _ => r#"{"accepted":true}"#,
    };
    Ok(Response::new(Full::from(answer)))
}

async fn server() -> SocketAddr {
    let client = AgentTrustClient::builder()
        .base_url("http://guardian.test")
        .api_key("sk_test_of_the_guard")
        .service(service_fn(check))
        .build()
        .expect("the settings are right");
    let layer = McpHttpLayer::new(AgentTrustGuard::new(client, "agt_1")).max_body_bytes(LIMIT);
    let router = Router::new().route("/mcp", any(|| async { "it ran" })).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A body that is made while it is written, so that this program never holds all of it.
#[derive(Clone, Copy)]
struct Body {
    before: &'static str,
    again: &'static str,
    after: &'static str,
    times: usize,
}

impl Body {
    /// Repeats the middle as many times as fit into this many bytes.
    fn up_to(mut self, length: usize) -> Self {
        self.times = (length - self.before.len() - self.after.len()) / self.again.len();
        self
    }

    fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn length(&self) -> usize {
        self.before.len() + self.times * self.again.len() + self.after.len()
    }
}

async fn post(stream: &mut TcpStream, body: Body, chunked: bool) -> String {
    let framing = match chunked {
        true => "transfer-encoding: chunked".to_owned(),
        false => format!("content-length: {}", body.length()),
    };
    let head = format!("POST /mcp HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    let many = 8192 / body.again.len();
    let piece = body.again.repeat(many);
    let last = body.again.repeat(body.times % many);
    let all = std::iter::once(body.before)
        .chain(std::iter::repeat_n(piece.as_str(), body.times / many))
        .chain([last.as_str(), body.after])
        .filter(|piece| !piece.is_empty());
    for piece in all {
        let (before, after) = match chunked {
            true => (format!("{:x}\r\n", piece.len()), "\r\n"),
            false => (String::new(), ""),
        };
        for part in [&*before, piece, after] {
            stream.write_all(part.as_bytes()).await.expect("it is taken");
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.expect("it is taken");
    }
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// Returns the most that was in use at a time, beyond what was in use before, while this many connections sent
/// such a body again and again.
async fn most(address: SocketAddr, body: Body, chunked: bool, at_once: usize, said: &str) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let sending = (0..at_once).map(|_| {
        let said = said.to_owned();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            for _ in 0..2 {
                // On one connection: it goes on after the first.
                let answer = post(&mut stream, body, chunked).await;
                assert!(answer.contains(&said), "{answer}");
            }
        })
    });
    for sent in sending.collect::<Vec<_>>() {
        sent.await.expect("no panic");
    }
    MEMORY.peak_usage().saturating_sub(before)
}

const PADDED: Body = Body {
    before: r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":""#,
    again: "x",
    after: r#""}}}"#,
    times: 0,
};

// One test: two at a time would count each other's memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_within_a_few_times_the_limit_whatever_is_sent() {
    let address = server().await;
    // Warmed up: threads, buffers, the background runtime.
    let small = PADDED.up_to(1000);
    most(address, small, false, 8, "HTTP/1.1 200 ").await;

    let garbage = Body { before: "", again: "x", after: "", times: 0 };
    let cut = Body { after: "", ..PADDED };
    let twice = Body { after: r#"","a":1}}}"#, ..PADDED };
    let batch = Body { before: "[1", again: ",1", after: "]", times: 0 };
    // The most that is taken for what is sent: a list in two bytes, an object in eight. Deeper than 128
    // it would not be read at all.
    let lists = Body {
        before: r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":[0"#,
        again: ",[[[[[[[[]]]]]]]]",
        after: "]}}}",
        times: 0,
    };
    let objects = Body { again: r#",{"a":0}"#, ..lists };
    let numbers = Body { again: ",1", ..lists };
    // What is sent, how much of it, how often at a time, the answer, and how much it may take in all.
    let mut failed = Vec::new();
    for (what, body, at_once, said, bound) in [
        ("no JSON", garbage.up_to(LIMIT), 8, "-32700", 8 * 4 * LIMIT),
        ("JSON that is cut", cut.up_to(LIMIT), 8, "-32700", 8 * 4 * LIMIT),
        ("a key that comes twice", twice.up_to(LIMIT), 8, "-32700", 8 * 4 * LIMIT),
        ("just over the limit", PADDED.up_to(LIMIT + 1), 8, " 413 ", 8 * 3 * LIMIT),
        ("far over the limit", PADDED.up_to(12 * LIMIT), 8, " 413 ", 8 * 3 * LIMIT),
        ("a batch of numbers", batch.up_to(LIMIT), 8, " 413 ", 8 * 3 * LIMIT),
        ("a call with a long list of numbers", numbers.up_to(LIMIT), 8, " 413 ", 8 * 3 * LIMIT),
        ("a call with a long list of lists", lists.up_to(LIMIT), 8, " 413 ", 8 * 3 * LIMIT),
        ("a denied call", PADDED.up_to(LIMIT), 8, "isError", 8 * 8 * LIMIT),
        ("a denied call, all numbers", numbers.times(32_500), 1, "isError", 32 * LIMIT),
        ("a denied call, all numbers", numbers.times(32_500), 8, "isError", 8 * 12 * LIMIT),
        ("a denied call, all lists", lists.times(4_050), 1, "isError", 32 * LIMIT),
        ("a denied call, all lists", lists.times(4_050), 8, "isError", 8 * 12 * LIMIT),
        ("a denied call, all objects", objects.times(16_000), 1, "isError", 32 * LIMIT),
        ("a denied call, all objects", objects.times(16_000), 8, "isError", 8 * 12 * LIMIT),
    ] {
        for chunked in [false, true] {
            let most = most(address, body, chunked, at_once, said).await;
            let each = most as f64 / (at_once * LIMIT) as f64;
            println!(
                "{at_once} x {what}, chunked {chunked}: {most} bytes, each {each:.2} times the limit"
            );
            if most > bound {
                failed.push(format!("{what}: {most} bytes, more than {bound}"));
            }
        }
    }
    assert_eq!(failed, [""; 0]);
}
