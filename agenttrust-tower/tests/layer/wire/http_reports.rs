//! A permitted call over HTTP is reported once, when its answer has been sent, whatever the answer is.

use std::convert::Infallible;
use std::time::Duration;

use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::body::Body;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::{any, get};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::guardian::{Guardian, Script};
use crate::wire::served::{Served, VERSIONS, Version};
use crate::wire::watch::{Gate, Watch, assert_failure, assert_success, chunk};

/// The time that a stream is kept open, so that its report shows whether that time was counted.
const OPEN_FOR: Duration = Duration::from_millis(80);

fn streamed(chunks: &[&'static str]) -> Body {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk)).collect();
    Body::from_stream(stream::iter(chunks))
}

fn answer(status: u16, body: Body) -> Response<Body> {
    Response::builder().status(status).body(body).expect("a response")
}

fn every_kind_of_answer() -> Router {
    Router::new()
        .route("/whole", get(|| async { "the whole text" }))
        .route("/chunked", get(|| async { streamed(&["one", "two", "three"]) }))
        .route("/empty", get(|| async { Body::empty() }))
        .route("/empty_stream", get(|| async { streamed(&[]) }))
        .route("/declared", any(|| async { declared(6, &["one", "two"]) }))
        .route("/declared_empty", get(|| async { declared(0, &[]) }))
        .route("/204", any(|| async { answer(204, Body::empty()) }))
        .route("/304", get(|| async { answer(304, Body::empty()) }))
        .route("/404", get(|| async { answer(404, "not here".into()) }))
        .route("/500", get(|| async { answer(500, streamed(&["oh"])) }))
        .route("/events", get(|| async { events(["one", "two"]) }))
}

/// Returns a stream that says beforehand how long it is: hyper asks for no more than that.
fn declared(length: u64, chunks: &[&'static str]) -> Response<Body> {
    Response::builder().header("content-length", length).body(streamed(chunks)).expect("a response")
}

fn events(
    data: [&'static str; 2],
) -> Sse<impl futures_util::Stream<Item = Result<Event, Infallible>> + use<>> {
    Sse::new(stream::iter(data.map(|data| Ok(Event::default().data(data)))))
}

/// A request, the body of its answer, and the type of the failure that it is.
type Answered = (Method, &'static str, &'static str, Option<&'static str>);

const ANSWERS: [Answered; 18] = [
    (Method::GET, "/whole", "the whole text", None),
    (Method::HEAD, "/whole", "", None),
    (Method::GET, "/chunked", "onetwothree", None),
    (Method::HEAD, "/chunked", "", None),
    (Method::GET, "/empty", "", None),
    (Method::GET, "/empty_stream", "", None),
    (Method::GET, "/declared", "onetwo", None),
    (Method::HEAD, "/declared", "", None),
    (Method::POST, "/declared", "onetwo", None),
    (Method::GET, "/declared_empty", "", None),
    (Method::DELETE, "/204", "", None),
    (Method::GET, "/304", "", None),
    (Method::GET, "/404", "not here", Some("http 404")),
    (Method::HEAD, "/404", "", Some("http 404")),
    (Method::GET, "/500", "oh", Some("http 500")),
    (Method::GET, "/nowhere", "", Some("http 404")),
    (Method::GET, "/events", "data: one\n\ndata: two\n\n", None),
    (Method::OPTIONS, "/declared", "onetwo", None),
];

#[tokio::test]
async fn every_kind_of_answer_leaves_exactly_one_report() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let router = every_kind_of_answer().layer(GuardLayer::http(watch.guard.clone()));
        let served = Served::router(router).await;
        let client = version.client();
        for (known, (method, path, body, error)) in ANSWERS.into_iter().enumerate() {
            let told = format!("{version:?} {method} {path}");
            let request = client.request(method, served.url(path)).send();
            let response = request.await.expect("an answer");
            assert_eq!(response.text().await.expect("the whole body"), body, "{told}");
            let report = watch.report_after(known).await;
            match error {
                None => assert_success(&report),
                Some(error) => assert_failure(&report, error),
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_the_status_rules_out_leaves_one_report_whether_it_is_sent_or_not() {
    let router = Router::new()
        .route("/204", get(|| async { answer(204, streamed(&["ruled out"])) }))
        .route("/304", get(|| async { answer(304, streamed(&["ruled out"])) }));
    // hyper sends it over HTTP/2 and drops it over HTTP/1.1.
    for version in VERSIONS {
        for path in ["/204", "/304"] {
            let watch = Watch::new(Guardian::new(Script::Allow));
            let router = router.clone().layer(GuardLayer::http(watch.guard.clone()));
            let served = Served::router(router).await;
            let client = version.client();
            client.get(served.url(path)).send().await.expect("an answer");
            assert_success(&watch.report().await);
        }
    }
}

#[tokio::test]
async fn a_stream_is_reported_when_it_ends_and_not_at_its_head() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let gate = Gate::closed();
        let stream = gate.clone();
        let handler = async move || {
            Body::from_stream(stream.between("first", "last").map(Ok::<_, Infallible>))
        };
        let router = Router::new().route("/stream", get(handler));
        let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
        let request = version.client().get(served.url("/stream")).send();
        let mut response = request.await.expect("an answer");
        assert_eq!(chunk(&mut response).await, "first");
        tokio::time::sleep(OPEN_FOR).await;
        watch.nothing_yet().await;
        gate.open();
        assert_eq!(response.text().await.expect("to its end"), "last", "{version:?}");
        let report = watch.report().await;
        assert_success(&report);
        let duration = Duration::from_millis(report["duration_ms"].as_u64().expect("a duration"));
        assert!(duration >= OPEN_FOR, "the stream took longer than {duration:?}");
    }
}

#[tokio::test]
async fn server_sent_events_are_reported_after_the_last_of_them() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let gate = Gate::closed();
        let stream = gate.clone();
        let handler = async move || {
            let events = stream.between("first", "last");
            Sse::new(events.map(|data| Ok::<_, Infallible>(Event::default().data(data))))
        };
        let router = Router::new().route("/events", get(handler));
        let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
        let request = version.client().get(served.url("/events")).send();
        let mut response = request.await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(chunk(&mut response).await, "data: first\n\n");
        watch.nothing_yet().await;
        gate.open();
        assert_eq!(response.text().await.expect("to its end"), "data: last\n\n");
        assert_success(&watch.report().await);
    }
}

#[tokio::test]
async fn trailers_pass_and_the_call_is_reported_once() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let handler = async || {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-digest", "abc".parse().expect("a value"));
        let text = Full::new(Bytes::from_static(b"text"));
        Body::new(text.with_trailers(async { Some(Ok(trailers)) }))
    };
    let router = Router::new().route("/trailed", get(handler));
    let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
    let request = Version::Http2.client().get(served.url("/trailed")).send();
    let response: Response<reqwest::Body> = request.await.expect("an answer").into();
    let collected = response.into_body().collect().await.expect("all of it");
    assert_eq!(collected.trailers().expect("trailers")["x-digest"], "abc");
    assert_success(&watch.report().await);
}

#[tokio::test]
async fn a_switch_of_protocols_is_reported_at_its_head() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let gate = Gate::closed();
    let held = gate.clone();
    let handler = async move |mut request: Request<Body>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let upgraded = upgrade.await.expect("the connection");
            held.opened().await;
            drop(upgraded);
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty())
            .expect("a response")
    };
    let router = Router::new().route("/upgrade", get(handler));
    let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
    let mut connection = served.connect().await;
    let lines = ["GET /upgrade HTTP/1.1", "host: here", "connection: upgrade", "upgrade: echo"];
    connection.send(&lines, "").await;
    let head = connection.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_success(&watch.report().await);
    gate.open();
    assert!(connection.is_over().await, "the connection was not the handler's");
    assert_eq!(watch.events().await.len(), 1);
}
