//! Every permitted call leaves exactly one report of the right kind, however it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use agenttrust_testkit::eventually;
use agenttrust_tower::GuardLayer;
use futures_util::FutureExt;
use serde_json::Value;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

use crate::guardian::{Guardian, Script, by_word, called};

fn only(events: &[Value]) -> &Value {
    let [event] = events else { panic!("expected one report, found {events:#?}") };
    event
}

#[tokio::test]
async fn an_allowed_call_leaves_exactly_one_report() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service = GuardLayer::new(guard.clone())
        .extract(by_word)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    service.oneshot("send_mail".to_owned()).await.expect("it is allowed");
    assert_eq!(guardian.checks().len(), 1, "one permit a call");
    let events = guardian.events(&guard).await;
    assert_eq!(only(&events)["tool_name"], "send_mail");
    assert_eq!(only(&events)["success"], true);
}

#[tokio::test]
async fn an_error_of_the_service_is_reported_by_its_type_alone() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service = GuardLayer::new(guard.clone())
        .extract(by_word)
        .deny_with(|_| unreachable!())
        .layer(service_fn(|_: String| async { Err::<String, _>(std::fmt::Error) }));
    service.oneshot("send_mail".to_owned()).await.expect_err("it fails");
    let events = guardian.events(&guard).await;
    assert_eq!(only(&events)["success"], false);
    assert_eq!(only(&events)["error_type"], "Error");
}

#[tokio::test]
async fn a_denied_call_leaves_no_report() {
    let guardian = Guardian::new(Script::Deny);
    let guard = guardian.guard();
    let service = GuardLayer::new(guard.clone())
        .extract(by_word)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    service.oneshot("send_mail".to_owned()).await.expect_err("it is denied");
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

#[tokio::test]
async fn a_call_dropped_while_it_runs_leaves_one_cancelled() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let (mut service, mut inner) =
        mock::spawn_layer::<String, String, _>(GuardLayer::new(guard.clone()).extract(by_word));
    assert!(service.poll_ready().is_ready());
    let call = tokio::spawn(service.call("send_mail".to_owned()));
    let (_, respond) = called(&mut inner).await;
    call.abort();
    assert!(call.await.expect_err("it was aborted").is_cancelled());
    drop(respond);
    let events = guardian.events(&guard).await;
    assert_eq!(only(&events)["success"], false);
    assert_eq!(only(&events)["error_type"], "Cancelled");
}

#[tokio::test]
async fn a_call_dropped_before_the_decision_runs_nothing_and_leaves_no_report() {
    let guardian = Guardian::new(Script::Silent);
    let guard = guardian.guard();
    let (mut service, mut inner) =
        mock::spawn_layer::<String, String, _>(GuardLayer::new(guard.clone()).extract(by_word));
    assert!(service.poll_ready().is_ready());
    let call = tokio::spawn(service.call("send_mail".to_owned()));
    guardian.asked(1).await;
    call.abort();
    let _ = call.await;
    assert!(inner.poll_request().is_pending(), "it ran");
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

#[tokio::test]
async fn a_call_that_is_never_polled_asks_nobody() {
    let guardian = Guardian::new(Script::Allow);
    let (mut service, _inner) =
        mock::spawn_layer::<String, String, _>(GuardLayer::new(guardian.guard()).extract(by_word));
    assert!(service.poll_ready().is_ready());
    drop(service.call("send_mail".to_owned()));
    assert_eq!(guardian.checks().len(), 0);
}

#[tokio::test]
async fn a_panic_in_the_running_call_leaves_one_panic_whoever_catches_it() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service =
        GuardLayer::new(guard.clone()).extract(by_word).layer(service_fn(|_: String| async {
            tokio::task::yield_now().await;
            if true {
                panic!("the tool broke");
            }
            Ok::<String, BoxError>(String::new())
        }));
    let mut call = Box::pin(service.oneshot("send_mail".to_owned()));
    // Caught while the future is still there, as a panic-catching middleware does.
    AssertUnwindSafe(call.as_mut()).catch_unwind().await.expect_err("it panics");
    drop(call);
    assert_eq!(only(&guardian.events(&guard).await)["error_type"], "Panic");
}

#[tokio::test]
async fn a_panic_in_the_making_of_the_call_leaves_one_panic() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let broken = service_fn(|request: String| -> std::future::Ready<Result<String, BoxError>> {
        panic!("no future for {request}")
    });
    let service = GuardLayer::new(guard.clone()).extract(by_word).layer(broken);
    let call = AssertUnwindSafe(service.oneshot("send_mail".to_owned()));
    call.catch_unwind().await.expect_err("it panics");
    assert_eq!(only(&guardian.events(&guard).await)["error_type"], "Panic");
}

#[tokio::test]
async fn a_call_polled_without_a_runtime_of_its_own_is_still_decided() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service = GuardLayer::new(guard.clone())
        .extract(by_word)
        .layer(service_fn(|request: String| async move { Ok::<_, BoxError>(request) }));
    let polling = thread::spawn(move || {
        let mut call = pin!(service.oneshot("send_mail".to_owned()));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1000 {
            if let Poll::Ready(result) = call.as_mut().poll(&mut cx) {
                return result.is_ok();
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    });
    eventually("the thread is stuck", async || polling.is_finished()).await;
    assert!(polling.join().expect("no panic"));
    assert_eq!(guardian.events(&guard).await.len(), 1);
}

/// As no executor does: but what was permitted once must not happen twice.
#[tokio::test]
async fn a_call_that_has_answered_or_panicked_does_not_go_on_when_it_is_polled_again() {
    for panics in [false, true] {
        let guardian = Guardian::new(Script::Allow);
        let guard = guardian.guard();
        let happened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&happened);
        let mut service =
            GuardLayer::new(guard.clone()).extract(by_word).layer(service_fn(move |_: String| {
                let counted = Arc::clone(&counted);
                std::future::poll_fn(move |_| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    assert!(!panics, "in the middle");
                    Poll::Ready(Ok::<_, BoxError>("done".to_owned()))
                })
            }));
        let mut call = Box::pin(service.call("send_mail".to_owned()));
        let mut poll = || {
            catch_unwind(AssertUnwindSafe(|| {
                call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
            }))
        };
        eventually("it does not end", async || !matches!(poll(), Ok(false))).await;
        assert_eq!(happened.load(Ordering::SeqCst), 1);
        poll().expect_err("it is over");
        assert_eq!(happened.load(Ordering::SeqCst), 1, "it happened again, with no permit");
        assert_eq!(guardian.events(&guard).await.len(), 1);
    }
}
