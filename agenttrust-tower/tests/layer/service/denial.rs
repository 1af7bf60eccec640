//! What is not permitted does not run, and the caller is told why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::AgentTrustError;
use agenttrust_tower::{Denial, GuardLayer};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script, by_word};

/// Returns a service that counts its calls.
fn counting(
    calls: &Arc<AtomicUsize>,
) -> impl Service<String, Response = String, Error = BoxError, Future: Send> + Clone + use<> {
    let calls = calls.clone();
    service_fn(move |request: String| {
        calls.fetch_add(1, Ordering::SeqCst);
        async move { Ok(request) }
    })
}

async fn refused_by(script: Script) -> AgentTrustError {
    let guardian = Guardian::new(script);
    let calls = Arc::new(AtomicUsize::new(0));
    let service = GuardLayer::new(guardian.guard()).extract(by_word).layer(counting(&calls));
    let result = service.oneshot("drop_table".to_owned()).await;
    assert_eq!(calls.load(Ordering::SeqCst), 0, "{script:?} reached the inner service");
    assert!(!guardian.checks().is_empty(), "nobody was asked");
    *result.expect_err("it is not permitted").downcast().expect("it is the guard's error")
}

#[tokio::test]
async fn denied_call_never_reaches_the_inner_service() {
    let error = refused_by(Script::Deny).await;
    assert!(matches!(error, AgentTrustError::ActionDenied { .. }), "{error:?}");
}

#[tokio::test]
async fn pending_call_never_reaches_the_inner_service() {
    let error = refused_by(Script::Hold).await;
    let AgentTrustError::ElevationRequired { approval_id, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(approval_id, "apr_1");
}

#[tokio::test]
async fn call_with_no_guardian_never_reaches_the_inner_service() {
    let error = refused_by(Script::Unreachable).await;
    assert!(matches!(error, AgentTrustError::GuardianUnavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn call_that_the_guardian_did_not_decide_never_reaches_the_inner_service() {
    for script in [
        Script::Status(400),
        Script::Status(401),
        Script::Status(403),
        Script::Status(404),
        Script::Status(429),
        Script::Status(500),
        Script::Nonsense,
    ] {
        refused_by(script).await;
    }
}

#[tokio::test]
async fn refused_request_is_neither_asked_about_nor_called() {
    let guardian = Guardian::new(Script::Allow);
    let calls = Arc::new(AtomicUsize::new(0));
    let service = GuardLayer::new(guardian.guard()).extract(by_word).layer(counting(&calls));
    let error = service.oneshot("refuse".to_owned()).await.expect_err("it was refused");
    assert!(error.to_string().contains("it says so"), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(guardian.checks().len(), 0);
}

#[tokio::test]
async fn passed_request_is_called_without_asking_or_reporting() {
    let guardian = Guardian::new(Script::Deny);
    let guard = guardian.guard();
    let calls = Arc::new(AtomicUsize::new(0));
    let service = GuardLayer::new(guard.clone()).extract(by_word).layer(counting(&calls));
    let answer = service.oneshot("pass".to_owned()).await.expect("it passes");
    assert_eq!(answer, "pass");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(guardian.checks().len(), 0);
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

#[tokio::test]
async fn a_closure_may_answer_a_denial() {
    let guardian = Guardian::new(Script::Deny);
    let calls = Arc::new(AtomicUsize::new(0));
    let service = GuardLayer::new(guardian.guard())
        .extract(by_word)
        .deny_with(|denial: Denial| match denial {
            Denial::Refused(reason) => Ok(format!("refused: {reason}")),
            Denial::Unread(unread) => Ok(format!("unread: {unread}")),
            Denial::Blocked(error) => Ok(format!("blocked: {}", error.code())),
            other => panic!("{other:?}"),
        })
        .layer(counting(&calls));
    let blocked = service.clone().oneshot("drop_table".to_owned()).await.expect("an answer");
    assert_eq!(blocked, "blocked: ACTION_DENIED");
    let refused = service.oneshot("refuse".to_owned()).await.expect("an answer");
    assert_eq!(refused, "refused: it says so");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
