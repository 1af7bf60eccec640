//! Bodies that an approval is bound to: read, digested, and handed on byte for byte.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust_tower::GuardLayer;
use agenttrust_tower::http::{BindBody, HttpDeny, HttpExtract};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use crate::connection::{self, Connection, VERSIONS, in_pieces, raw};
use crate::guardian::{Guardian, Script};
use crate::wire::served::Served;

type Layer = GuardLayer<HttpExtract, HttpDeny, BindBody>;

const LIMIT: usize = 100_000;

/// A request as its handler saw it.
#[derive(Clone, Debug)]
struct ReceivedRequest {
    headers: HeaderMap,
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

/// A server whose bodies are bound.
struct Desk {
    guardian: Guardian,
    served: Served,
    heard: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl Desk {
    async fn open() -> Self {
        Self::with(|layer| layer).await
    }

    async fn with(change: impl FnOnce(Layer) -> Layer) -> Self {
        let guardian = Guardian::new(Script::Allow);
        let heard: Arc<Mutex<Vec<ReceivedRequest>>> = Arc::default();
        let hearing = Arc::clone(&heard);
        let handler = async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a whole body");
            let trailers = body.trailers().cloned();
            let bytes = body.to_bytes();
            let heard = ReceivedRequest { headers: head.headers, bytes: bytes.clone(), trailers };
            hearing.lock().expect("no test panics with it").push(heard);
            bytes
        };
        let layer = change(GuardLayer::http(guardian.guard()).bind_body(LIMIT));
        let router = Router::new().route("/payments/{id}", any(handler)).layer(layer);
        Self { guardian, served: Served::router(router).await, heard }
    }

    async fn connect(&self, version: Version) -> Connection {
        Connection::open(self.served.address, version).await
    }

    fn heard(&self) -> Vec<ReceivedRequest> {
        self.heard.lock().expect("no test panics with it").clone()
    }

    fn last(&self) -> ReceivedRequest {
        self.heard().pop().expect("something was heard")
    }

    /// Returns the digest that was last asked about, and what it was said to be of.
    fn asked(&self) -> (String, String) {
        let check = self.guardian.checks().pop().expect("something was asked");
        (check.digest, check.binds)
    }

    /// Fails when anything was asked about, or ran.
    fn nothing_happened(&self) {
        assert_eq!((self.heard().len(), self.guardian.checks().len()), (0, 0));
    }

    /// Fails when another request does not go through.
    async fn serves_others(&self) {
        for version in VERSIONS {
            let reply = self.connect(version).await.send(delete("10 EUR")).await;
            assert_eq!((reply.status.as_u16(), &reply.text[..]), (200, &b"10 EUR"[..]));
        }
    }
}

fn delete(text: impl Into<Bytes>) -> http::Request<connection::Body> {
    with_body(Full::new(text.into()).boxed_unsync())
}

fn with_body(body: connection::Body) -> http::Request<connection::Body> {
    let request = http::Request::builder().method(Method::DELETE).uri("/payments/7");
    request.header("content-type", "text/plain").body(body).expect("a request")
}

#[tokio::test]
async fn body_goes_on_byte_for_byte_and_is_part_of_what_is_bound() {
    let desk = Desk::open().await;
    let text = Bytes::from(b"10 EUR \xff\0".repeat(9_000));
    for version in VERSIONS {
        let mut connection = desk.connect(version).await;
        for request in [delete(text.clone()), with_body(in_pieces(&text))] {
            let in_pieces = request.body().size_hint_is_open();
            let reply = connection.send(request).await;
            assert_eq!((reply.status.as_u16(), &reply.text), (200, &text));
            let heard = desk.last();
            assert_eq!(heard.bytes, text);
            assert_eq!(heard.headers.get("transfer-encoding"), None);
            let length = heard.headers.get("content-length");
            if version == Version::HTTP_11 || !in_pieces {
                assert_eq!(length.expect("a length"), &text.len().to_string());
            }
        }
    }
    let checks = desk.guardian.checks();
    assert!(checks.iter().all(|check| check.binds.is_empty()), "the whole input");
}

/// A body that was made with a length or without.
trait SizeHint {
    fn size_hint_is_open(&self) -> bool;
}

impl SizeHint for connection::Body {
    fn size_hint_is_open(&self) -> bool {
        use hyper::body::Body;
        self.size_hint().exact().is_none()
    }
}

#[tokio::test]
async fn another_body_type_or_encoding_is_another_request() {
    let desk = Desk::open().await;
    let mut connection = desk.connect(Version::HTTP_11).await;
    let mut digests = Vec::new();
    let mut send = async |request: http::Request<connection::Body>| {
        assert_eq!(connection.send(request).await.status, 200);
        desk.asked().0
    };
    let same = send(delete("10 EUR")).await;
    assert_eq!(send(delete("10 EUR")).await, same);
    assert_eq!(send(with_body(in_pieces(&Bytes::from("10 EUR")))).await, same);
    let mut traced = delete("10 EUR");
    traced.headers_mut().insert("traceparent", HeaderValue::from_static("00-1"));
    assert_eq!(send(traced).await, same, "no header but those that say what the body is");
    digests.push(same);
    for other in ["10000 EUR", "10 EUR ", "", "10 USD"] {
        digests.push(send(delete(other)).await);
    }
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-range", "bytes 0-5/100"),
        ("content-location", "/payments/8"),
    ] {
        let mut request = delete("10 EUR");
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        digests.push(send(request).await);
    }
    let mut twice = delete("10 EUR");
    twice.headers_mut().append("content-type", HeaderValue::from_static("text/plain"));
    digests.push(send(twice).await);
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[tokio::test]
async fn trailers_go_on_and_are_bound() {
    let desk = Desk::open().await;
    let mut digests = Vec::new();
    for version in VERSIONS {
        for sum in ["1", "2"] {
            let trailers = HeaderMap::from_iter([(
                http::HeaderName::from_static("sum"),
                HeaderValue::from_static(sum),
            )]);
            let frames = [Frame::data(Bytes::from("10 EUR")), Frame::trailers(trailers.clone())];
            let body =
                StreamBody::new(stream::iter(frames.map(Ok::<_, Infallible>))).boxed_unsync();
            let mut request = with_body(body);
            request.headers_mut().insert("trailer", HeaderValue::from_static("sum"));
            assert_eq!(desk.connect(version).await.send(request).await.status, 200);
            let heard = desk.last();
            assert_eq!((&heard.bytes[..], heard.trailers), (&b"10 EUR"[..], Some(trailers)));
            assert_eq!(heard.headers.get("content-length"), None, "two framings");
            digests.push(desk.asked().0);
        }
    }
    // The Host is written otherwise in the two versions, so their requests differ as well.
    assert_ne!(digests[0], digests[1]);
    assert_ne!(digests[2], digests[3]);
}

#[tokio::test]
async fn body_over_the_limit_is_a_413_and_the_connection_goes_on() {
    let desk = Desk::open().await;
    for version in VERSIONS {
        let mut connection = desk.connect(version).await;
        for length in [LIMIT + 1, 10 * LIMIT] {
            let text = Bytes::from(vec![b'x'; length]);
            for request in [delete(text.clone()), with_body(in_pieces(&text))] {
                let reply = connection.send(request).await;
                assert_eq!(reply.status, 413, "{version:?} {length} {reply:?}");
                assert_eq!(reply.header("content-type"), Some("application/problem+json"));
                assert_eq!(reply.header("connection"), None);
                let problem = reply.json();
                assert_eq!(problem["code"], "BODY_TOO_LONG");
                assert!(problem["detail"].as_str().expect("one").contains("100000 bytes"));
            }
        }
        desk.nothing_happened();
    }
    let mut connection = desk.connect(Version::HTTP_11).await;
    assert_eq!(connection.send(delete(vec![b'x'; LIMIT])).await.status, 200);
    assert_eq!(desk.last().bytes.len(), LIMIT);
}

#[tokio::test]
async fn body_that_never_ends_is_answered_by_the_deadline_and_delays_no_other() {
    let desk = Desk::with(|layer| layer.body_timeout(Duration::from_millis(300))).await;
    let head = "DELETE /payments/7 HTTP/1.1\r\nhost: x\r\n";
    for framing in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n"]
    {
        let answer = raw(desk.served.address, format!("{head}{framing}").as_bytes(), false).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.contains("\"code\":\"BODY_TIMEOUT\""), "{answer}");
    }
    let drops = || {
        let drop = || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from("x"))), ()))
        };
        with_body(StreamBody::new(stream::unfold((), move |()| drop())).boxed_unsync())
    };
    let mut connection = desk.connect(Version::HTTP_2).await;
    assert_eq!(connection.send(drops()).await.status, 408);
    desk.nothing_happened();
    assert_eq!(connection.send(delete("10 EUR")).await.status, 200);

    // Before their time is over too.
    let desk = Desk::open().await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = desk.connect(Version::HTTP_2).await;
        let request = drops();
        waiting.push(tokio::spawn(async move { connection.send(request).await.status }));
    }
    desk.serves_others().await;
    assert!(waiting.iter().all(|one| !one.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(desk.heard().len(), 2);
}

#[tokio::test]
async fn body_that_breaks_off_runs_nothing() {
    let desk = Desk::open().await;
    for framing in
        ["content-length: 7\r\n\r\n10 EUR", "transfer-encoding: chunked\r\n\r\n6\r\n10 EUR\r\n"]
    {
        let said = format!("DELETE /payments/7 HTTP/1.1\r\nhost: x\r\n{framing}");
        let answer = raw(desk.served.address, said.as_bytes(), true).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    desk.nothing_happened();
    desk.serves_others().await;
}

#[tokio::test]
async fn client_that_waits_to_be_asked_for_its_body_is_asked_only_for_one_that_fits() {
    let desk = Desk::open().await;
    let head =
        "DELETE /payments/7 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\n";
    let said = format!("{head}content-length: {}\r\n\r\n", LIMIT + 1);
    let answer = raw(desk.served.address, said.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    desk.nothing_happened();

    let said = format!("{head}content-length: 6\r\n\r\n10 EUR");
    let answer = raw(desk.served.address, said.as_bytes(), false).await;
    assert!(answer.contains("HTTP/1.1 200 ") && answer.ends_with("10 EUR"), "{answer}");
    let heard = desk.last();
    assert_eq!(heard.headers.get("expect"), None, "nobody has to be asked any more");
    assert_eq!(heard.headers["content-length"], "6");
}

#[tokio::test]
async fn what_is_not_all_in_the_body_is_not_said_to_be() {
    let desk = Desk::open().await;
    let mut connection = desk.connect(Version::HTTP_11).await;
    assert_eq!(connection.send(delete("10 EUR")).await.status, 200);
    assert_eq!(desk.asked().1, "");
    // What is said once the connection is a WebSocket, nobody has read.
    let mut upgrade = delete("10 EUR");
    upgrade.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
    upgrade.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
    assert_eq!(connection.send(upgrade).await.status, 200);
    assert_eq!(desk.asked().1, "request");

    // Without the body nothing but the head is bound.
    let guardian = Guardian::new(Script::Allow);
    let router = Router::new().route("/payments/{id}", any(|_: Body| async { "done" }));
    let served = Served::router(router.layer(GuardLayer::http(guardian.guard()))).await;
    let mut connection = Connection::open(served.address, Version::HTTP_11).await;
    for text in ["10 EUR", "10000 EUR"] {
        assert_eq!(connection.send(delete(text)).await.status, 200);
    }
    let checks = guardian.checks();
    assert!(checks.iter().all(|check| check.binds == "request"));
    assert_eq!(checks[0].digest, checks[1].digest);
}

#[tokio::test]
async fn request_that_passes_is_not_read() {
    let guardian = Guardian::new(Script::Allow);
    let layer = GuardLayer::http(guardian.guard())
        .bind_body(1)
        .filter(|request: &http::Request<Body>| request.method() != Method::DELETE);
    let router = Router::new().route("/payments/{id}", any(|body: Bytes| async { body }));
    let served = Served::router(router.layer(layer)).await;
    let mut connection = Connection::open(served.address, Version::HTTP_11).await;
    assert_eq!(connection.send(delete("10 EUR")).await.text, "10 EUR");
    assert_eq!(guardian.checks().len(), 0);
}
