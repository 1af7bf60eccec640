//! Answers that do not come to their end: the body fails, or no client reads it any more.

use std::convert::Infallible;
use std::io;

use agenttrust::{AgentTrustGuard, CallOutcome};
use agenttrust_testkit::eventually;
use agenttrust_tower::GuardLayer;
use agenttrust_tower::axum::Permit;
use axum::Router;
use axum::body::Body;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::get;
use futures_util::{StreamExt, future};

use crate::guardian::{Guardian, Script};
use crate::wire::served::{Counter, Served, VERSIONS};
use crate::wire::watch::{Gate, Watch, assert_failure, chunk};

/// Streams that end when `gate` opens: `/broken` with an error.
fn streams(gate: &Gate, guard: &AgentTrustGuard) -> Router {
    let [whole, events, broken, said] = [(); 4].map(|()| gate.clone());
    Router::new()
        .route(
            "/stream",
            get(async move || {
                Body::from_stream(whole.between("first", "last").map(Ok::<_, Infallible>))
            }),
        )
        .route(
            "/events",
            get(async move || {
                let events = events.between("first", "last");
                Sse::new(events.map(|data| Ok::<_, Infallible>(Event::default().data(data))))
            }),
        )
        .route(
            "/broken",
            get(async move || {
                let error = io::Error::other("the disk is gone, with a secret in it");
                Body::from_stream(broken.between(Ok("first"), Err(error)))
            }),
        )
        .route(
            "/said",
            get(async move |permit: Permit| {
                permit.set_outcome(CallOutcome::Success);
                let error = io::Error::other("the disk is gone");
                Body::from_stream(said.between(Ok("first"), Err(error)))
            }),
        )
        .layer(GuardLayer::http(guard.clone()))
}

#[tokio::test]
async fn a_body_that_fails_is_reported_by_the_type_of_its_error() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let gate = Gate::closed();
        let served = Served::router(streams(&gate, &watch.guard)).await;
        let request = version.client().get(served.url("/broken")).send();
        let mut response = request.await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(chunk(&mut response).await, "first");
        watch.nothing_yet().await;
        gate.open();
        response.bytes().await.expect_err("it fails");
        let report = watch.report().await;
        // The error of axum's bodies; what it says stays here.
        assert_failure(&report, "Error");
        assert!(!report.to_string().contains("secret"), "{report}");
    }
}

#[tokio::test]
async fn a_body_that_fails_has_failed_whatever_the_handler_had_said_by_then() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let gate = Gate::closed();
    let served = Served::router(streams(&gate, &watch.guard)).await;
    let request = VERSIONS[0].client().get(served.url("/said")).send();
    let response = request.await.expect("an answer");
    gate.open();
    response.bytes().await.expect_err("it fails");
    assert_failure(&watch.report().await, "Error");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_stream_leaves_one_cancelled() {
    for version in VERSIONS {
        for path in ["/stream", "/events"] {
            let watch = Watch::new(Guardian::new(Script::Allow));
            let gate = Gate::closed();
            let served = Served::router(streams(&gate, &watch.guard)).await;
            let client = version.client();
            let request = client.get(served.url(path)).send();
            let mut response = request.await.expect("an answer");
            chunk(&mut response).await;
            watch.nothing_yet().await;
            drop(response);
            drop(client);
            assert_failure(&watch.report().await, "Cancelled");
            gate.open();
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_leaves_one_cancelled() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Allow));
        let calls = Counter::default();
        let counter = calls.clone();
        let handler = async move || {
            counter.count();
            future::pending::<()>().await;
        };
        let router = Router::new().route("/slow", get(handler));
        let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
        let client = version.client();
        let request = tokio::spawn(client.get(served.url("/slow")).send());
        eventually("the handler did not begin", async || calls.counted() == 1).await;
        watch.nothing_yet().await;
        request.abort();
        let _ = request.await;
        drop(client);
        assert_failure(&watch.report().await, "Cancelled");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_decision_runs_nothing_and_leaves_no_report() {
    for version in VERSIONS {
        let watch = Watch::new(Guardian::new(Script::Silent));
        let calls = Counter::default();
        let counter = calls.clone();
        let router = Router::new().route("/slow", get(async move || counter.count()));
        let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
        let client = version.client();
        let request = tokio::spawn(client.get(served.url("/slow")).send());
        watch.guardian.asked(1).await;
        request.abort();
        let _ = request.await;
        drop(client);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(calls.counted(), 0);
        watch.nothing_yet().await;
    }
}
