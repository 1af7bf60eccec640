//! The handlers of axum and their permits: what they say counts, and without a guard there is no
//! permit.

use agenttrust::CallOutcome;
use agenttrust_tower::GuardLayer;
use agenttrust_tower::axum::Permit;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use http::StatusCode;

use crate::guardian::{Guardian, Script};
use crate::wire::served::{Counter, Served, Version};
use crate::wire::watch::{Watch, assert_failure, assert_success};

async fn status_of(served: &Served, path: &str) -> (StatusCode, String) {
    let answer = Version::Http1.client().get(served.url(path)).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("all of it"))
}

#[tokio::test]
async fn what_a_handler_says_of_its_call_is_what_is_reported() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let late = |permit: Permit| async move {
        let last_words = stream::once(async move {
            permit.set_failure("DiskFull");
            Ok::<_, std::convert::Infallible>("half of it")
        });
        Body::from_stream(last_words)
    };
    let router = Router::new()
        .route("/failed", get(|permit: Permit| async move { permit.set_failure("QueueFull") }))
        .route(
            "/fine",
            get(|permit: Permit| async move {
                permit.set_outcome(CallOutcome::Success);
                StatusCode::NOT_FOUND
            }),
        )
        .route("/late", get(late))
        .route("/silent", get(|_: Permit| async { StatusCode::CONFLICT }))
        .layer(GuardLayer::http(watch.guard.clone()));
    let served = Served::router(router).await;

    assert_eq!(status_of(&served, "/failed").await.0, 200);
    assert_failure(&watch.report_after(0).await, "QueueFull");
    assert_eq!(status_of(&served, "/fine").await.0, 404);
    assert_success(&watch.report_after(1).await);
    assert_eq!(status_of(&served, "/late").await, (StatusCode::OK, "half of it".to_owned()));
    assert_failure(&watch.report_after(2).await, "DiskFull");
    assert_eq!(status_of(&served, "/silent").await.0, 409);
    assert_failure(&watch.report_after(3).await, "http 409");
}

#[tokio::test]
async fn a_handler_knows_the_check_and_the_agent_that_it_runs_for() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let shown = |permit: Permit| async move {
        format!("{} {} {:?}", permit.tool(), permit.agent_id(), permit.check_id())
    };
    let router = Router::new().route("/files/{name}", get(shown));
    let served = Served::router(router.layer(GuardLayer::http(watch.guard.clone()))).await;
    let (_, body) = status_of(&served, "/files/a").await;
    assert_eq!(body, r#"http/GET/files/{name} agt_1 Some("chk_1")"#);
}

#[tokio::test]
async fn outside_of_a_guard_a_handler_that_needs_a_permit_does_not_run() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let calls = Counter::default();
    let counter = calls.clone();
    let needs_one = async move |_: Permit| counter.count();
    let takes_one = |permit: Option<Permit>| async move { permit.is_some().to_string() };
    let router = Router::new()
        .route("/inside", get(takes_one))
        .route("/passed", get(takes_one))
        .layer(
            GuardLayer::http(watch.guard.clone())
                .filter(|request: &http::Request<Body>| request.uri().path() != "/passed"),
        )
        // Added after the layer, so outside of it.
        .route("/outside", get(takes_one))
        .route("/needs", get(needs_one));
    let served = Served::router(router).await;

    assert_eq!(status_of(&served, "/inside").await.1, "true");
    assert_eq!(status_of(&served, "/passed").await.1, "false");
    assert_eq!(status_of(&served, "/outside").await.1, "false");
    let (status, body) = status_of(&served, "/needs").await;
    assert_eq!((status, body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""));
    assert_eq!(calls.counted(), 0);
    assert_eq!(watch.guardian.checks().len(), 1);
}
