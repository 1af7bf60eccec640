//! A guarded function that is held under a layer whose call was approved: its hold says so, and how one approval
//! comes to serve both.

use std::time::Duration;

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect, OnElevation, guarded};
use agenttrust_tower::{DenyAsError, GuardLayer};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

#[guarded(effect = "destructive", guard = guard, skip(guard))]
async fn file_delete(path: &str, guard: AgentTrustGuard) -> Result<(), AgentTrustError> {
    let _ = path;
    Ok(())
}

#[guarded(tool = "file_delete", effect = "destructive", guard = guard, skip(guard))]
fn file_delete_at_once(path: &str, guard: AgentTrustGuard) -> Result<(), AgentTrustError> {
    let _ = path;
    Ok(())
}

type Extract = fn(&&'static str) -> Action;

fn layer(guard: AgentTrustGuard) -> GuardLayer<Extract, DenyAsError> {
    let extract: Extract = |_| Action::new("http/DELETE/files").effect(Effect::Destructive);
    GuardLayer::new(guard).extract(extract)
}

/// Returns what a call under `layer` is told, whose body is `body`.
async fn told<F>(
    layer: GuardLayer<Extract, DenyAsError>,
    body: impl Fn() -> F + Clone + Send + 'static,
) -> String
where
    F: Future<Output = Result<(), AgentTrustError>> + Send + 'static,
{
    let service = layer.layer(service_fn(move |_: &'static str| {
        let body = body.clone();
        async move { body().await.map_err(BoxError::from) }
    }));
    service.oneshot("request").await.expect_err("it is held inside").to_string()
}

/// Returns a Guardian that approved the request, and holds the function inside.
fn approved() -> Guardian {
    Guardian::new(Script::Approved).on("file_delete", Script::Hold)
}

fn says_how_to_ask_once(told: &str) -> bool {
    ["needs approval apr_1", "\"http/DELETE/files\"", "used approval apr_0", "`covers_inner(true)`"]
        .iter()
        .all(|part| told.contains(part))
}

#[tokio::test]
async fn a_hold_inside_of_an_approved_call_names_that_approval_and_how_one_serves_both() {
    let guardian = approved();
    let guard = guardian.guard();
    let inside = guard.clone();
    let said = told(layer(guard.clone()), move || file_delete("a.txt", inside.clone())).await;
    assert!(says_how_to_ask_once(&said), "{said}");

    // On another thread than the one that makes the call, as code that is not async is asked about.
    let inside = guard.clone();
    let body = move || {
        let guard = inside.clone();
        async move { file_delete_at_once("a.txt", guard) }
    };
    let said = told(layer(guard.clone()), body).await;
    assert!(says_how_to_ask_once(&said), "{said}");

    // One that covers, and not this one.
    let body = move || async {
        tokio::task::yield_now().await;
        let guard = AgentTrustGuard::current().expect("the layer's");
        file_delete("a.txt", guard).await
    };
    let said = told(layer(guard).covers_inner(true), body).await;
    assert!(says_how_to_ask_once(&said), "{said}");
}

#[tokio::test]
async fn a_hold_that_was_waited_for_in_vain_says_it_too() {
    let guardian = approved();
    let guard = guardian.guard();
    let inside = guard.clone();
    let body = move || {
        let guard = inside.clone();
        async move {
            let wait = OnElevation::Wait(Duration::from_millis(20));
            guard.authorize(Action::new("file_delete").on_elevation(wait)).await.map(drop)
        }
    };
    let said = told(layer(guard), body).await;
    assert!(says_how_to_ask_once(&said), "{said}");
}

#[tokio::test]
async fn a_hold_says_nothing_of_it_where_no_approval_was_used_around_it() {
    // The layer was allowed without one.
    let guardian = Guardian::new(Script::Allow).on("file_delete", Script::Hold);
    let guard = guardian.guard();
    let inside = guard.clone();
    let said = told(layer(guard), move || file_delete("a.txt", inside.clone())).await;
    assert!(said.contains("apr_1") && !said.contains("covers_inner"), "{said}");

    // Another agent's call inside, which no cover would reach.
    let guardian = approved();
    let other = AgentTrustGuard::builder(guardian.client(), "agt_2").build();
    let said = told(layer(guardian.guard()), move || file_delete("a.txt", other.clone())).await;
    assert!(said.contains("apr_1") && !said.contains("covers_inner"), "{said}");

    // After the call, on the same thread.
    let guard = guardian.guard();
    let service = layer(guard.clone()).layer(service_fn(|_: &'static str| async {
        assert!(
            AgentTrustGuard::current().is_none(),
            "the layer was not built to hand its guard on"
        );
        Ok::<_, BoxError>(())
    }));
    service.oneshot("request").await.expect("it is approved");
    let said = file_delete("a.txt", guard).await.expect_err("it is held").to_string();
    assert!(said.contains("apr_1") && !said.contains("covers_inner"), "{said}");
}
