//! A permitted gRPC call is reported once, by its status, when its stream has ended.

use std::convert::Infallible;
use std::time::Duration;

use agenttrust_testkit::eventually;
use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use tonic::Code;

use crate::guardian::{Guardian, Script};
use crate::wire::grpc::{Client, Place, Words, serve};
use crate::wire::served::{Served, Version};
use crate::wire::watch::{Gate, Watch, assert_failure, assert_success};

const OPEN_FOR: Duration = Duration::from_millis(80);

async fn allowed(place: Place) -> (Watch, Words, Served, Client) {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let words = Words::new();
    let served = serve(&words, &watch.guard, place).await;
    let client = Client::of(&served).await;
    (watch, words, served, client)
}

#[tokio::test]
async fn a_unary_call_leaves_one_report() {
    for place in [Place::Server, Place::Service] {
        let (watch, words, _served, mut client) = allowed(place).await;
        assert_eq!(client.unary("/test.Words/GetOne", "a").await.expect("allowed"), "a");
        let report = watch.report().await;
        assert_success(&report);
        assert_eq!(report["tool_name"], "grpc/test.Words/GetOne");
        assert_eq!(words.calls.counted(), 1);
    }
}

#[tokio::test]
async fn a_streamed_answer_is_reported_when_it_ends_and_not_at_its_head() {
    let (watch, words, _served, mut client) = allowed(Place::Server).await;
    let mut replies = client.list("a").await.expect("allowed");
    let first = replies.message().await.expect("no error");
    assert_eq!(first.as_deref(), Some("a, at first"));
    tokio::time::sleep(OPEN_FOR).await;
    watch.nothing_yet().await;
    words.gate.open();
    let last = replies.message().await.expect("no error");
    assert_eq!(last.as_deref(), Some("a, at last"));
    assert_eq!(replies.message().await.expect("no error"), None);
    let report = watch.report().await;
    assert_success(&report);
    let duration = Duration::from_millis(report["duration_ms"].as_u64().expect("a duration"));
    assert!(duration >= OPEN_FOR, "the stream took longer than {duration:?}");
}

#[tokio::test]
async fn a_streamed_request_is_reported_once_it_is_answered() {
    let (watch, words, _served, mut client) = allowed(Place::Server).await;
    let gate = Gate::closed();
    let sending = gate.between("one".to_owned(), "two".to_owned());
    let call = tokio::spawn(async move { client.send_many(sending).await });
    eventually("no message came", async || words.messages.counted() == 1).await;
    watch.nothing_yet().await;
    gate.open();
    assert_eq!(call.await.expect("no panic").expect("allowed"), "one two");
    assert_success(&watch.report().await);
}

#[tokio::test]
async fn streams_both_ways_are_reported_when_the_answer_ends() {
    let (watch, words, _served, mut client) = allowed(Place::Service).await;
    let gate = Gate::closed();
    let mut replies =
        client.talk(gate.between("one".to_owned(), "two".to_owned())).await.expect("allowed");
    assert_eq!(replies.message().await.expect("no error").as_deref(), Some("one"));
    watch.nothing_yet().await;
    gate.open();
    assert_eq!(replies.message().await.expect("no error").as_deref(), Some("two"));
    assert_eq!(replies.message().await.expect("no error"), None);
    assert_success(&watch.report().await);
    assert_eq!(words.messages.counted(), 2);
}

#[tokio::test]
async fn a_status_in_the_head_is_the_type_of_the_failure() {
    let (watch, _words, _served, mut client) = allowed(Place::Server).await;
    let missing = client.unary("/test.Words/GetOne", "missing").await.expect_err("not found");
    assert_eq!(missing.code(), Code::NotFound);
    assert_failure(&watch.report_after(0).await, "grpc NOT_FOUND");
    let missing = client.list("missing").await.expect_err("not found");
    assert_eq!(missing.code(), Code::NotFound);
    assert_failure(&watch.report_after(1).await, "grpc NOT_FOUND");
    let unknown = client.unary("/other.Service/GetOne", "a").await.expect_err("nobody serves it");
    assert_eq!(unknown.code(), Code::Unimplemented);
    assert_failure(&watch.report_after(2).await, "grpc UNIMPLEMENTED");
}

#[tokio::test]
async fn a_status_in_the_trailers_is_the_type_of_the_failure() {
    let (watch, words, _served, mut client) = allowed(Place::Server).await;
    let mut replies = client.list("gone").await.expect("allowed");
    let first = replies.message().await.expect("no error");
    assert_eq!(first.as_deref(), Some("gone, at first"));
    watch.nothing_yet().await;
    words.gate.open();
    assert_eq!(replies.message().await.expect_err("not found").code(), Code::NotFound);
    assert_failure(&watch.report().await, "grpc NOT_FOUND");
}

#[tokio::test]
async fn a_client_that_drops_the_stream_leaves_one_cancelled() {
    let (watch, words, _served, mut client) = allowed(Place::Server).await;
    let mut replies = client.list("a").await.expect("allowed");
    replies.message().await.expect("no error");
    watch.nothing_yet().await;
    drop(replies);
    assert_failure(&watch.report().await, "Cancelled");
    words.gate.open();
    // The stream was the caller's to drop; the connection is not gone with it.
    assert_eq!(client.unary("/test.Words/GetOne", "b").await.expect("allowed"), "b");
    assert_success(&watch.report_after(1).await);
}

#[tokio::test]
async fn a_client_whose_connection_breaks_leaves_one_cancelled() {
    let (watch, _words, _served, mut client) = allowed(Place::Server).await;
    let mut replies = client.list("a").await.expect("allowed");
    replies.message().await.expect("no error");
    watch.nothing_yet().await;
    drop((replies, client));
    assert_failure(&watch.report().await, "Cancelled");
}

/// Returns a server that speaks gRPC by hand: one message in a frame, and these trailers.
fn by_hand(trailers: Option<HeaderMap>) -> Router {
    const MESSAGE: [u8; 8] = [0, 0, 0, 0, 3, 10, 1, b'a'];
    let handler = async move || {
        let message = Full::new(Bytes::from_static(&MESSAGE));
        let body = match trailers {
            None => axum::body::Body::from_stream(stream::iter([Ok::<_, Infallible>(
                Bytes::from_static(&MESSAGE),
            )])),
            Some(trailers) => {
                axum::body::Body::new(message.with_trailers(async { Some(Ok(trailers)) }))
            }
        };
        let response = Response::builder().header("content-type", "application/grpc");
        response.body(body).expect("a response")
    };
    Router::new().route("/test.Words/GetOne", post(handler))
}

#[tokio::test]
async fn a_stream_that_ends_without_a_status_is_unknown() {
    let other = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-other"),
        http::HeaderValue::from_static("1"),
    )]);
    for trailers in [None, Some(other)] {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let router = by_hand(trailers).layer(GuardLayer::grpc(watch.guard.clone()));
        let served = Served::router(router).await;
        let mut client = Client::of(&served).await;
        let told = client.unary("/test.Words/GetOne", "a").await;
        assert_ne!(told.map_err(|status| status.code()), Ok("b".to_owned()));
        assert_failure(&watch.report().await, "grpc UNKNOWN");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_grpc_is_reported_by_its_http_status() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let router = Router::new().layer(GuardLayer::grpc(watch.guard.clone()));
    let served = Served::router(router).await;
    let request = Version::Http2.client().post(served.url("/test.Words/GetOne")).send();
    assert_eq!(request.await.expect("an answer").status(), 404);
    assert_failure(&watch.report().await, "http 404");
}

/// An exact size and trailers after it: what was sent is all of the data, and not the last word.
#[tokio::test]
async fn the_size_that_a_head_announces_is_not_the_end_of_a_grpc_stream() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("5"),
    )]);
    let router = by_hand(Some(trailers)).layer(GuardLayer::grpc(watch.guard.clone()));
    let served = Served::router(router).await;
    let mut client = Client::of(&served).await;
    let missing = client.unary("/test.Words/GetOne", "a").await.expect_err("not found");
    assert_eq!(missing.code(), Code::NotFound);
    assert_failure(&watch.report().await, "grpc NOT_FOUND");
}
