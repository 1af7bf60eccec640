//! Answers that are there before the body was read: the client reads them all the same, and its connection goes on or
//! says that it ends.

use std::time::{Duration, Instant};

use agenttrust_testkit::{UPLOADERS, Uploader};
use agenttrust_tower::{AuthenticateLayer, GuardLayer, McpHttpLayer};
use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connection::raw;
use crate::guardian::{Guardian, Script};
use crate::wire::served::{Served, VERSIONS, Version};

const SIZES: [usize; 3] = [1, 60_000, 3 << 20];

/// The requests that are answered without the body, and with which status: by a guard, by one that binds bodies, by
/// one whose Guardian is away, by the layer that asks for a token, by an extractor, and by the layer for MCP.
const EARLY: [(&str, u16); 6] = [
    ("/denied", 403),
    ("/bound", 413),
    ("/away", 503),
    ("/unknown", 401),
    ("/odd", 400),
    ("/mcp", 413),
];

async fn served() -> Served {
    let handler = || any(|_: Bytes| async { "it ran" });
    let (denies, away) = (Guardian::new(Script::Deny), Guardian::new(Script::Unreachable));
    let bound = GuardLayer::http(denies.guard()).bind_body(0);
    let router = Router::new()
        .route("/denied", handler().layer(GuardLayer::http(denies.guard())))
        .route("/bound", handler().layer(bound))
        .route("/mcp", handler().layer(McpHttpLayer::new(denies.guard()).max_body_bytes(0)))
        .route("/away", handler().layer(GuardLayer::http(away.guard())))
        .route("/unknown", handler().layer(AuthenticateLayer::new(denies.client())))
        .route(
            "/odd",
            handler().layer(GuardLayer::http(denies.guard()).extract(
                |_: &http::Request<axum::body::Body>| agenttrust_tower::Extracted::refuse("odd"),
            )),
        );
    Served::router(router).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_before_the_body_reaches_clients_that_keep_their_connections() {
    let served = served().await;
    for version in VERSIONS {
        let client = version.client();
        for (path, status) in EARLY {
            for bytes in SIZES {
                for number in 0..10 {
                    let mut request = client.post(served.url(path)).body(vec![b' '; bytes]);
                    if number % 2 == 1 {
                        // Refused once the Guardian was asked about it.
                        request = request.header("authorization", "Bearer at_bad");
                    }
                    let sent = request.send().await;
                    let answer = sent.unwrap_or_else(|error| {
                        panic!("{version:?} {path} {bytes}: {error:?}");
                    });
                    assert_eq!(answer.status(), status, "{version:?} {path} {bytes}");
                    if version == Version::Http2 {
                        assert!(!answer.headers().contains_key("connection"), "{answer:?}");
                    }
                    answer.bytes().await.expect("a whole answer");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_before_the_body_reaches_the_programs_of_others() {
    let served = served().await;
    for uploader in UPLOADERS {
        for (path, status) in EARLY {
            for bytes in SIZES {
                let url = served.url(path);
                let read = tokio::task::spawn_blocking(move || uploader.post(&url, bytes, 3));
                let Some(read) = read.await.expect("it ends") else { continue };
                assert_eq!(read, vec![status.to_string(); 3], "{uploader:?} {path} {bytes}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_before_a_body_that_is_more_than_is_read_first_is_read_once_all_is_sent() {
    let served = served().await;
    for uploader in [Uploader::Curl2, Uploader::HttpClient] {
        for (path, status) in [EARLY[0], EARLY[3]] {
            let url = served.url(path);
            let read = tokio::task::spawn_blocking(move || uploader.post(&url, 40 << 20, 2));
            let Some(read) = read.await.expect("it ends") else { continue };
            assert_eq!(read, [status.to_string(), status.to_string()], "{uploader:?} {path}");
        }
    }
    // One that trickles, for longer than is waited before the answer.
    for version in VERSIONS {
        let drop = |left: u32| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let piece = Bytes::from(vec![b' '; 50_000]);
            (left > 0).then(|| (Ok::<_, std::io::Error>(piece), left - 1))
        };
        let body = reqwest::Body::wrap_stream(stream::unfold(30, drop));
        let answer = version.client().post(served.url("/denied")).body(body).send().await;
        assert_eq!(answer.expect("an answer").status(), 403, "{version:?}");
    }
}

#[tokio::test]
async fn answer_to_a_body_that_pauses_is_read_by_who_sends_all_of_it_first() {
    let served = served().await;
    for (path, status) in EARLY {
        let mut stream = TcpStream::connect(served.address).await.expect("it listens");
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it is taken");
        for _ in 0..2 {
            // Longer than is waited before the answer.
            tokio::time::sleep(Duration::from_millis(700)).await;
            stream.write_all(&[b' '; 1_000_000]).await.expect("it is taken");
        }
        let answer = head_of(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn connection_goes_on_after_an_answer_before_the_body_or_says_that_it_ends() {
    let served = served().await;
    for (path, status) in EARLY {
        for (bytes, chunked) in
            SIZES.iter().chain(&[20 << 20]).flat_map(|size| [(*size, false), (*size, true)])
        {
            let mut stream = TcpStream::connect(served.address).await.expect("it listens");
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
            let (framing, end) = match chunked {
                true => {
                    (format!("transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n"), "\r\n0\r\n\r\n")
                }
                false => (format!("content-length: {bytes}\r\n\r\n"), ""),
            };
            let said = [head.as_bytes(), framing.as_bytes(), &vec![b' '; bytes], end.as_bytes()];
            // It sends all before it reads anything.
            stream.write_all(&said.concat()).await.expect("it is taken");
            let answer = head_of(&mut stream).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {bytes}: {answer}");
            if answer.contains("connection: close\r\n") {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.expect("it is closed in order");
                continue;
            }
            let get = "GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            stream.write_all(get.as_bytes()).await.expect("it goes on");
            let mut rest = String::new();
            stream.read_to_string(&mut rest).await.expect("it is answered");
            assert!(rest.contains("HTTP/1.1 404 "), "{path} {bytes} {chunked}: {rest}");
        }
    }
}

/// Returns the head of an answer, and what came with it.
async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.expect("an answer");
        assert!(read > 0, "no answer");
        head.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn body_that_is_late_holds_up_no_denial_and_one_that_waits_to_be_asked_for_is_not() {
    let served = served().await;
    for (path, status) in [EARLY[0], EARLY[3]] {
        let begun = Instant::now();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n");
        let mut stream = TcpStream::connect(served.address).await.expect("it listens");
        stream.write_all(format!("{head}\r\n{{").as_bytes()).await.expect("it is taken");
        let answer = head_of(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let asks = format!("{head}expect: 100-continue\r\n\r\n");
        let answer = raw(served.address, asks.as_bytes(), false).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn body_that_is_longer_or_shorter_than_it_says_is_no_other_request() {
    let served = served().await;
    for (path, status) in EARLY {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n");
        // What is too much is the beginning of another request, which is none.
        let longer = raw(served.address, format!("{head}abcdefgh\r\n\r\n").as_bytes(), false).await;
        assert!(longer.starts_with(&format!("HTTP/1.1 {status} ")), "{longer}");
        assert_eq!(longer.matches("HTTP/1.1 ").count(), 2, "{longer}");
        assert!(longer.contains("HTTP/1.1 400 ") && !longer.contains("it ran"), "{longer}");
        let shorter = raw(served.address, format!("{head}ab").as_bytes(), true).await;
        assert!(!shorter.contains("it ran"), "{shorter}");
    }
}
