//! While an answer takes long, the inner service's readiness serves others.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use agenttrust_testkit::eventually;
use agenttrust_tower::{DenyAsError, GuardLayer, ResponseFuture};
use tokio::time::timeout;
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_test::mock::{self, Handle, Mock};

use crate::guardian::{Guardian, Script, by_word, called};

type Call = ResponseFuture<Mock<String, String>, String, DenyAsError>;

/// Polls `call` until it says that it is in `state`.
async fn until(call: &mut Pin<Box<Call>>, state: &str) {
    let mut look = || {
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let now = format!("{call:?}");
        if now.contains(state) {
            return Ok(());
        }
        assert!(polled.is_pending(), "it answered before it was {state}");
        Err(now)
    };
    eventually(format!("it never was {state}"), async || look()).await;
}

/// Returns a call that waits for its approval, having taken the only place that `inner` had.
fn waiting(guardian: &Guardian) -> (Pin<Box<Call>>, Handle<String, String>) {
    let (inner, mut handle) = mock::pair();
    let mut service = GuardLayer::new(guardian.guard()).extract(by_word).layer(inner);
    handle.allow(1);
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(()))));
    (Box::pin(service.call("wait_for_it".to_owned())), handle)
}

#[tokio::test]
async fn a_held_call_runs_once_it_is_approved_and_a_clone_is_ready() {
    let guardian = Guardian::new(Script::Hold);
    let (mut call, mut inner) = waiting(&guardian);
    until(&mut call, "Authorizing").await;
    until(&mut call, "Waiting").await;
    inner.allow(0);
    guardian.approve();
    until(&mut call, "Readying").await;
    assert!(inner.poll_request().is_pending(), "it was called unready");
    inner.allow(1);
    until(&mut call, "Calling").await;
    let (request, respond) = called(&mut inner).await;
    assert_eq!(request, "wait_for_it");
    respond.send_response("done".to_owned());
    assert_eq!(call.await.expect("an answer"), "done");
}

#[tokio::test]
async fn a_held_call_never_reaches_the_inner_service_before_the_approval() {
    let guardian = Guardian::new(Script::Hold);
    let (mut call, mut inner) = waiting(&guardian);
    until(&mut call, "Waiting").await;
    assert!(timeout(Duration::from_millis(300), &mut call).await.is_err());
    assert!(inner.poll_request().is_pending());
}

#[tokio::test]
async fn a_limit_inside_the_guard_serves_others_while_a_call_waits() {
    let guardian = Guardian::new(Script::Allow).on("wait_for_it", Script::Hold);
    let inner = ConcurrencyLimitLayer::new(1)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    let service = GuardLayer::new(guardian.guard()).extract(by_word).layer(inner);
    let waits = tokio::spawn(service.clone().oneshot("wait_for_it".to_owned()));
    guardian.asked(1).await;
    for _ in 0..3 {
        let other = service.clone().oneshot("send_mail".to_owned());
        timeout(Duration::from_secs(5), other).await.expect("the limit is free").expect("allowed");
    }
    assert!(!waits.is_finished());
    guardian.approve();
    waits.await.expect("no panic").expect("approved");
}

#[tokio::test]
async fn a_limit_outside_the_guard_counts_the_wait() {
    let guardian = Guardian::new(Script::Allow).on("wait_for_it", Script::Hold);
    let guarded = GuardLayer::new(guardian.guard())
        .extract(by_word)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    let service = ConcurrencyLimitLayer::new(1).layer(guarded);
    let waits = tokio::spawn(service.clone().oneshot("wait_for_it".to_owned()));
    guardian.asked(1).await;
    let other = service.oneshot("send_mail".to_owned());
    assert!(timeout(Duration::from_millis(500), other).await.is_err());
    guardian.approve();
    waits.await.expect("no panic").expect("approved");
}

#[tokio::test]
async fn a_call_dropped_while_held_leaves_no_report() {
    let guardian = Guardian::new(Script::Hold);
    let guard = guardian.guard();
    let (mut call, mut inner) = waiting(&guardian);
    until(&mut call, "Waiting").await;
    drop(call);
    assert!(!matches!(inner.poll_request(), Poll::Ready(Some(_))), "it ran");
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

#[tokio::test]
async fn a_permitted_call_dropped_before_the_service_is_ready_leaves_one_cancelled() {
    let guardian = Guardian::new(Script::Hold);
    let (inner, mut handle) = mock::pair::<String, String>();
    let guard = guardian.guard();
    let mut service = GuardLayer::new(guard.clone()).extract(by_word).layer(inner);
    service.ready().await.expect("ready");
    let mut call = Box::pin(service.call("wait_for_it".to_owned()));
    until(&mut call, "Waiting").await;
    handle.allow(0);
    guardian.approve();
    until(&mut call, "Readying").await;
    drop(call);
    assert!(handle.poll_request().is_pending());
    let events = guardian.events(&guard).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["error_type"], "Cancelled");
}

#[tokio::test]
async fn a_service_that_fails_to_become_ready_again_leaves_one_failure() {
    let guardian = Guardian::new(Script::Hold);
    let (inner, mut handle) = mock::pair::<String, String>();
    let guard = guardian.guard();
    let mut service = GuardLayer::new(guard.clone()).extract(by_word).layer(inner);
    service.ready().await.expect("ready");
    let mut call = Box::pin(service.call("wait_for_it".to_owned()));
    until(&mut call, "Waiting").await;
    handle.allow(0);
    guardian.approve();
    until(&mut call, "Readying").await;
    handle.send_error("the pool is gone");
    assert_eq!(call.await.expect_err("the error").to_string(), "the pool is gone");
    let events = guardian.events(&guard).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["success"], false);
    assert_ne!(events[0]["error_type"], "Cancelled", "nobody dropped it");
}
