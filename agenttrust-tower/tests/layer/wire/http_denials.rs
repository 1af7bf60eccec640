//! What is not permitted reaches no handler: over HTTP/1.1, HTTP/2 and server-sent events.

use std::convert::Infallible;

use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::body::Body;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::{any, get};
use futures_util::stream;
use http::{Method, Request};
use serde_json::Value;

use crate::guardian::{Guardian, Script};
use crate::wire::served::{Counter, Served, VERSIONS, Version};

const CASES: [(Script, u16, &str); 6] = [
    (Script::Deny, 403, "ACTION_DENIED"),
    (Script::Hold, 403, "ELEVATION_REQUIRED"),
    (Script::Unreachable, 503, "GUARDIAN_UNAVAILABLE"),
    (Script::Status(503), 503, "GUARDIAN_UNAVAILABLE"),
    (Script::Status(401), 500, "GUARD_MISCONFIGURED"),
    (Script::Nonsense, 500, "GUARD_MISCONFIGURED"),
];

/// Routes that count every call of a handler; `/open` passes, the rest is answered by `script`.
fn counted(script: Script, calls: &Counter) -> (Router, Guardian) {
    let guardian = Guardian::new(script);
    let count = |answer: &'static str| {
        let calls = calls.clone();
        move || async move {
            calls.count();
            answer
        }
    };
    let events = {
        let calls = calls.clone();
        move || async move {
            calls.count();
            let event = Event::default().data("secret");
            Sse::new(stream::iter([Ok::<_, Infallible>(event)]))
        }
    };
    let is_guarded = |request: &Request<Body>| request.uri().path() != "/open";
    let router = Router::new()
        .route("/open", get(|| async { "open" }))
        .route("/files/{name}", any(count("the text")))
        .route("/events", get(events))
        .fallback(count("somewhere"))
        .layer(GuardLayer::http(guardian.guard()).filter(is_guarded));
    (router, guardian)
}

async fn nothing_runs_over(version: Version) {
    for (script, status, code) in CASES {
        let calls = Counter::default();
        let (router, guardian) = counted(script, &calls);
        let served = Served::router(router).await;
        let client = version.client();
        let requests = [
            (Method::GET, "/files/a"),
            (Method::POST, "/files/a"),
            (Method::DELETE, "/files/a"),
            (Method::HEAD, "/files/a"),
            (Method::GET, "/events"),
            (Method::GET, "/nowhere"),
        ];
        for (method, path) in requests {
            let is_bodiless = method == Method::HEAD;
            let request = client.request(method.clone(), served.url(path)).body("some text");
            let answer = request.send().await.expect("an answer");
            let told = format!("{script:?} {method} {path}");
            assert_eq!(answer.status(), status, "{told}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{told}");
            let body = answer.bytes().await.expect("the whole problem");
            if is_bodiless {
                assert!(body.is_empty(), "{told}");
                continue;
            }
            let problem: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(problem["code"], code, "{told}");
            assert!(!problem.to_string().contains("secret"), "{told}");
        }
        assert_eq!(calls.counted(), 0, "{script:?} reached a handler");
        assert!(guardian.checks().len() >= 5, "{script:?}: nobody was asked");
        let open = client.get(served.url("/open")).send().await.expect("an answer");
        assert_eq!(open.status(), 200, "the client is of no use any more");
        if version == Version::Http2 {
            assert_eq!(served.connections.counted(), 1, "a denial cost the connection");
        }
    }
}

#[tokio::test]
async fn denied_requests_never_reach_a_handler_over_http1() {
    nothing_runs_over(Version::Http1).await;
}

#[tokio::test]
async fn denied_requests_never_reach_a_handler_over_http2() {
    nothing_runs_over(Version::Http2).await;
}

#[tokio::test]
async fn a_denied_event_stream_sends_no_event() {
    for version in VERSIONS {
        let calls = Counter::default();
        let (router, _) = counted(Script::Deny, &calls);
        let served = Served::router(router).await;
        let request = version.client().get(served.url("/events"));
        let answer = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body = answer.text().await.expect("it ends");
        assert!(!body.contains("data:"), "{body}");
        assert_eq!(calls.counted(), 0);
    }
}

#[tokio::test]
async fn an_http1_connection_goes_on_after_denials() {
    let calls = Counter::default();
    let (router, _) = counted(Script::Deny, &calls);
    let served = Served::router(router).await;
    let mut connection = served.connect().await;
    for line in ["GET /files/a", "POST /files/a", "DELETE /files/a", "HEAD /files/a", "GET /events"]
    {
        let line = format!("{line} HTTP/1.1");
        let denied = connection.ask(&[&line, "host: here"], "some text").await;
        assert_eq!(denied.status, 403, "{line}: {}", denied.head);
        assert_eq!(denied.body.is_empty(), line.starts_with("HEAD"), "{line}: {}", denied.body);
    }
    let open = connection.ask(&["GET /open HTTP/1.1", "host: here"], "").await;
    assert_eq!((open.status, open.body.as_str()), (200, "open"));
    assert_eq!(served.connections.counted(), 1);
    assert_eq!(calls.counted(), 0);
}

#[tokio::test]
async fn a_denial_does_not_wait_for_a_body_that_is_still_being_sent() {
    for version in VERSIONS {
        let calls = Counter::default();
        let (router, _) = counted(Script::Deny, &calls);
        let served = Served::router(router).await;
        let endless = stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = version.client().post(served.url("/files/a"));
        let request = request.body(reqwest::Body::wrap_stream(endless));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{version:?}");
        assert_eq!(calls.counted(), 0, "{version:?}");
    }
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_the_body_is_told_not_to() {
    let calls = Counter::default();
    let (router, _) = counted(Script::Deny, &calls);
    let served = Served::router(router).await;
    let mut connection = served.connect().await;
    let lines = ["POST /files/a HTTP/1.1", "host: here", "expect: 100-continue"];
    let answer = connection.ask(&lines, "some text").await;
    assert_eq!(answer.status, 403, "{}", answer.head);
    assert_eq!(calls.counted(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_nobody_is_asked() {
    let calls = Counter::default();
    let (router, guardian) = counted(Script::Allow, &calls);
    let served = Served::router(router).await;
    let mut connection = served.connect().await;
    for lines in [
        &["DELETE /files/a HTTP/1.1", "host: here", "host: there"][..],
        &["DELETE /files/%ff HTTP/1.1", "host: here"],
        &["ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQ /files/a HTTP/1.1", "host: here"],
    ] {
        let answer = connection.ask(lines, "").await;
        assert_eq!(answer.status, 400, "{lines:?}");
        let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(problem["code"], "REQUEST_REFUSED", "{lines:?}");
    }
    assert_eq!(guardian.checks().len(), 0);
    assert_eq!(calls.counted(), 0);
    assert_eq!(served.connections.counted(), 1);
}
