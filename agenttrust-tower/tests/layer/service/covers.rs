//! A guarded function under a layer: it asks for itself, unless the layer was built to cover it, and
//! then once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Effect, PermitBasis, guarded};
use agenttrust_tower::{DenyAsError, GuardLayer};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

#[guarded(tool = "cache_clear", effect = "mutating")]
async fn clear() -> Result<(), AgentTrustError> {
    tokio::task::yield_now().await;
    Ok(())
}

#[guarded(tool = "cache_clear", effect = "mutating")]
fn clear_at_once() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "cache_clear", effect = "destructive")]
async fn clear_for_good() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "cache_clear", effect = "mutating", scopes("cache:write"))]
async fn clear_with_scope() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "cache_drop", effect = "mutating")]
async fn another() -> Result<(), AgentTrustError> {
    Ok(())
}

fn layer(guard: AgentTrustGuard) -> GuardLayer<fn(&&'static str) -> Action, DenyAsError> {
    let extract: fn(&&'static str) -> Action = |request| Action::new("unnamed").input(request);
    GuardLayer::new(guard).extract(extract).tool("cache_clear").effect(Effect::Mutating)
}

/// Calls a service whose body is `body` under `layer`, and counts what the Guardian was asked and told.
async fn counted<F>(
    guardian: &Guardian,
    guard: &AgentTrustGuard,
    layer: GuardLayer<fn(&&'static str) -> Action, DenyAsError>,
    body: impl Fn() -> F + Clone + Send + 'static,
) -> (usize, usize)
where
    F: Future<Output = Result<(), AgentTrustError>> + Send + 'static,
{
    let service = layer.layer(service_fn(move |_: &'static str| {
        let body = body.clone();
        async move { body().await.map_err(BoxError::from) }
    }));
    service.oneshot("request").await.expect("it is allowed");
    (guardian.checks().len(), guardian.events(guard).await.len())
}

/// Returns a Guardian that allows, and its guard.
fn asked() -> (Guardian, AgentTrustGuard) {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    (guardian, guard)
}

#[tokio::test]
async fn a_function_under_a_layer_asks_for_itself() {
    let (guardian, guard) = asked();
    let inside = guard.clone();
    let body = move || {
        let guard = inside.clone();
        async move { guard.scope(clear()).await }
    };
    assert_eq!(counted(&guardian, &guard, layer(guard.clone()), body).await, (2, 2));
}

#[tokio::test]
async fn a_covered_function_is_asked_about_once_and_reported_once() {
    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).covers_inner(true);
    assert_eq!(counted(&guardian, &guard, covering, clear).await, (1, 1));

    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).covers_inner(true);
    assert_eq!(counted(&guardian, &guard, covering, || async { clear_at_once() }).await, (1, 1));
}

#[tokio::test]
async fn the_second_call_asks_for_itself() {
    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).covers_inner(true);
    let body = || async {
        clear().await?;
        clear().await?;
        clear_at_once()
    };
    assert_eq!(counted(&guardian, &guard, covering, body).await, (3, 3));
}

/// A call of one of several functions.
type Calling = Pin<Box<dyn Future<Output = Result<(), AgentTrustError>> + Send>>;

#[tokio::test]
async fn what_reaches_further_asks_for_itself() {
    let calls: [fn() -> Calling; 3] =
        [|| Box::pin(another()), || Box::pin(clear_for_good()), || Box::pin(clear_with_scope())];
    for (place, call) in calls.into_iter().enumerate() {
        let (guardian, guard) = asked();
        let covering = layer(guard.clone()).covers_inner(true);
        assert_eq!(counted(&guardian, &guard, covering, call).await, (2, 2), "{place}");
        // And leaves the cover to the call that it is for.
        let (guardian, guard) = asked();
        let covering = layer(guard.clone()).covers_inner(true);
        let body = move || async move {
            call().await?;
            clear().await
        };
        assert_eq!(counted(&guardian, &guard, covering, body).await, (2, 2), "{place}");
    }
}

#[tokio::test]
async fn scopes_that_the_layer_asked_for_are_covered() {
    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).scopes(["cache:write"]).covers_inner(true);
    assert_eq!(counted(&guardian, &guard, covering, clear_with_scope).await, (1, 1));
}

#[tokio::test]
async fn another_guard_asks_for_itself() {
    let (guardian, guard) = asked();
    let (others, other) = asked();
    let body = move || {
        let other = other.clone();
        async move { other.scope(clear()).await }
    };
    let covering = layer(guard.clone()).covers_inner(true);
    assert_eq!(counted(&guardian, &guard, covering, body).await, (1, 1));
    assert_eq!(others.checks().len(), 1);
}

#[tokio::test]
async fn another_task_is_outside_of_it() {
    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).covers_inner(true);
    let body = || async {
        let spawned = tokio::spawn(clear()).await.expect("no panic");
        let error = spawned.expect_err("there is no guard in there");
        assert_eq!(error.code(), "GUARDIAN_UNAVAILABLE");
        Ok(())
    };
    assert_eq!(counted(&guardian, &guard, covering, body).await, (1, 1));
}

#[tokio::test]
async fn while_one_call_pauses_another_task_of_the_thread_is_not_covered() {
    let (guardian, guard) = asked();
    let covering = layer(guard.clone()).covers_inner(true);
    let (paused, goes_on) =
        (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let mut service = covering.layer(service_fn({
        let (paused, goes_on) = (Arc::clone(&paused), Arc::clone(&goes_on));
        move |_: &'static str| {
            let (paused, goes_on) = (Arc::clone(&paused), Arc::clone(&goes_on));
            async move {
                paused.notify_one();
                goes_on.notified().await;
                clear().await.map_err(BoxError::from)
            }
        }
    }));
    let call = service.call("request");
    let beside = async {
        paused.notified().await;
        assert!(AgentTrustGuard::current().is_none());
        guard.scope(clear()).await.expect("allowed");
        assert_eq!(guardian.checks().len(), 2);
        goes_on.notify_one();
    };
    let (result, ()) = tokio::join!(call, beside);
    result.expect("allowed");
    assert_eq!(guardian.checks().len(), 2);
}

#[tokio::test]
async fn a_denied_layer_covers_nothing() {
    let guardian = Guardian::new(Script::Deny);
    let guard = guardian.guard();
    let ran = Arc::new(AtomicUsize::new(0));
    let service = layer(guard.clone()).covers_inner(true).layer(service_fn({
        let ran = Arc::clone(&ran);
        move |_: &'static str| {
            ran.fetch_add(1, Ordering::SeqCst);
            async { clear().await.map_err(BoxError::from) }
        }
    }));
    service.oneshot("request").await.expect_err("it is denied");
    guard.scope(clear()).await.expect_err("it is denied, outside as well");
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    assert_eq!(guardian.checks().len(), 2);
}

#[tokio::test]
async fn a_covered_permit_says_so() {
    let (guardian, guard) = asked();
    let inside = guard.clone();
    let service = layer(guard).covers_inner(true).layer(service_fn(move |_: &'static str| {
        let guard = inside.clone();
        async move {
            let action = Action::new("cache_clear").effect(Effect::Read);
            let permit = guard.authorize(action).await?;
            Ok::<_, BoxError>(permit.basis())
        }
    }));
    assert_eq!(service.oneshot("request").await.expect("allowed"), PermitBasis::Covered);
    assert_eq!(guardian.checks().len(), 1);
}

static PURGED: AtomicUsize = AtomicUsize::new(0);

/// It declares nothing: a Guardian would find it destructive by its name.
#[guarded(tool = "purge_all")]
async fn purge_all() -> Result<(), AgentTrustError> {
    PURGED.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[tokio::test]
async fn a_layer_that_passed_while_the_guardian_was_away_covers_nothing() {
    let guardian = Guardian::new(Script::Unreachable);
    let guard =
        AgentTrustGuard::builder(guardian.client(), "agt_1").fail_open_for([Effect::Read]).build();
    guard.scope(purge_all()).await.expect_err("it declares no read");
    let extract: fn(&&'static str) -> Action = |_| Action::new("purge_all").effect(Effect::Read);
    let service = GuardLayer::new(guard)
        .extract(extract)
        .covers_inner(true)
        .layer(service_fn(|_: &'static str| async { purge_all().await.map_err(BoxError::from) }));
    service.oneshot("request").await.expect_err("nobody was asked about the function");
    assert_eq!(PURGED.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_covered_check_leaves_its_report_to_the_layer() {
    let (guardian, guard) = asked();
    let inside = guard.clone();
    let body = move || {
        let guard = inside.clone();
        async move {
            guard.check_with_effect("cache_clear", "all", "read").await?;
            guard.report("cache_clear", true, 1);
            // The second is one of its own.
            guard.check_with_effect("cache_clear", "all", "read").await?;
            guard.report("cache_clear", true, 1);
            Ok(())
        }
    };
    let covering = layer(guard.clone()).covers_inner(true);
    assert_eq!(counted(&guardian, &guard, covering, body).await, (2, 2));
}

#[tokio::test]
async fn what_a_covered_call_says_of_itself_is_said_of_the_layers() {
    let (guardian, guard) = asked();
    let inside = guard.clone();
    let service =
        layer(guard.clone()).covers_inner(true).layer(service_fn(move |_: &'static str| {
            let guard = inside.clone();
            async move {
                let action = Action::new("cache_clear").effect(Effect::Mutating);
                let mut permit = guard.authorize(action).await?;
                permit.handle().set_failure("CacheBusy");
                permit.finish(&());
                Ok::<_, BoxError>(())
            }
        }));
    service.oneshot("request").await.expect("allowed");
    let events = guardian.events(&guard).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["error_type"], "CacheBusy");
}
