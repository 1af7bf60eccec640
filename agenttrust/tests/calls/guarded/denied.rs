//! Where the guard comes from, what a denial becomes, and what is reported.

use super::shapes::{async_fn, sync_fn};
use super::*;

/// Checks that without any guard nothing runs: a step of the test that gives the process a guard.
pub(crate) async fn without_any_guard_nothing_runs() {
    let steps = Steps::default();
    let error = async_fn(&steps, false).await.unwrap_err();
    assert!(matches!(error, AgentTrustError::GuardianUnavailable { .. }), "{error:?}");
    let error = sync_fn(&steps, false).unwrap_err();
    assert!(matches!(error, AgentTrustError::GuardianUnavailable { .. }), "{error:?}");
    assert_eq!(steps.taken(), 0);
}

struct Holder {
    guard: AgentTrustGuard,
    shared: Arc<AgentTrustGuard>,
}

impl Holder {
    #[guarded(guard = self.guard)]
    async fn owned(&self) -> Output<()> {
        Ok(())
    }

    #[guarded(guard = &self.guard)]
    fn borrowed(&self) -> Output<()> {
        Ok(())
    }

    #[guarded(guard = self.shared)]
    fn shared(self) -> Output<Self> {
        Ok(self)
    }
}

#[guarded(guard = held_by.lock().unwrap())]
async fn behind_a_lock(held_by: Arc<std::sync::Mutex<AgentTrustGuard>>) -> Output<()> {
    drop(held_by);
    Ok(())
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn the_named_guard_is_asked_in_whatever_form_it_is_held() {
    let (named, current) = (Scripted::says([Say::allowed()]), Scripted::says([Say::denied()]));
    let holder = Holder { guard: guard(&named), shared: Arc::new(guard(&named)) };
    let locked = Arc::new(std::sync::Mutex::new(guard(&named)));
    guard(&current)
        .scope(async {
            holder.owned().await.unwrap();
            holder.borrowed().unwrap();
            holder.shared().unwrap();
            assert_send(behind_a_lock(locked)).await.unwrap();
        })
        .await;
    assert_eq!((named.checks().len(), current.checks().len()), (4, 0));
}

#[guarded(on_denied = |error| format!("{name}: {}", error.code()))]
async fn reply(name: String, steps: &Steps) -> String {
    steps.step();
    name
}

#[guarded(on_denied = |_| None)]
fn maybe(steps: &Steps) -> Option<u32> {
    Some(steps.step())
}

#[guarded(on_denied = drop)]
fn silent(steps: &Steps) {
    steps.step();
}

#[guarded(on_denied = |_| vec![0].into_iter())]
fn opaque(steps: &Steps) -> impl Iterator<Item = u32> + use<> {
    vec![steps.step()].into_iter()
}

#[tokio::test]
async fn on_denied_builds_the_output_and_the_body_never_runs() {
    let scripted = Scripted::says([Say::denied()]);
    let steps = Steps::default();
    guard(&scripted)
        .scope(async {
            assert_eq!(reply("ada".into(), &steps).await, "ada: ACTION_DENIED");
            assert_eq!(maybe(&steps), None);
            silent(&steps);
            assert_eq!(opaque(&steps).next(), Some(0));
        })
        .await;
    assert_eq!(steps.taken(), 0);
}

#[derive(Debug)]
struct OwnError(String);

impl From<AgentTrustError> for OwnError {
    fn from(error: AgentTrustError) -> Self {
        Self(error.code().to_owned())
    }
}

#[guarded]
async fn own_error(fails: bool) -> Result<impl std::fmt::Debug, OwnError> {
    if fails {
        return Err(OwnError("of its own".into()));
    }
    Ok("done")
}

#[tokio::test]
async fn the_outcome_is_reported_by_the_type_of_the_error_alone() {
    let scripted = Scripted::says([Say::allowed(), Say::allowed(), Say::denied()]);
    let guard = guard(&scripted);
    guard
        .scope(async {
            assert!(own_error(false).await.is_ok());
            assert_eq!(own_error(true).await.err().unwrap().0, "of its own");
            assert_eq!(own_error(true).await.err().unwrap().0, "ACTION_DENIED");
        })
        .await;
    guard.flush().await.unwrap();
    let events = scripted.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].0["event_type"], "tool_end");
    assert_eq!(events[1].0["event_type"], "tool_error");
    assert_eq!(events[1].0["error_type"], "OwnError");
}

struct NotAnOutcome;

#[guarded(on_denied = |_| NotAnOutcome)]
fn foreign() -> NotAnOutcome {
    NotAnOutcome
}

#[tokio::test]
async fn an_output_that_says_nothing_of_its_outcome_is_a_success() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    guard.scope_sync(foreign);
    guard.flush().await.unwrap();
    assert_eq!(scripted.events()[0].0["success"], true);
}

#[guarded]
async fn never_ready(steps: &Steps) -> Output {
    steps.step();
    std::future::pending().await
}

#[guarded]
fn panics(steps: &Steps) -> Output {
    steps.step();
    panic!("the tool's own panic")
}

#[tokio::test]
async fn a_cancelled_call_and_a_panicking_call_leave_one_event_of_their_kind() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let steps = Steps::default();
    let waiting = guard.scope(never_ready(&steps));
    tokio::time::timeout(Duration::from_millis(200), waiting).await.unwrap_err();
    let panicked =
        guard.scope_sync(|| std::panic::catch_unwind(AssertUnwindSafe(|| panics(&steps))));
    assert!(panicked.is_err());
    let panicked = AssertUnwindSafe(guard.scope(async { panics(&steps) })).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!(steps.taken(), 3);
    guard.flush().await.unwrap();
    let kinds: Vec<_> =
        scripted.events().into_iter().map(|(event, _)| event["error_type"].clone()).collect();
    assert_eq!(kinds, ["Cancelled", "Panic", "Panic"]);
}

#[guarded(on_elevation = "wait", wait = "10s")]
async fn patient(steps: &Steps) -> Output {
    Ok(steps.step())
}

#[tokio::test]
async fn a_held_call_that_waits_runs_once_it_is_approved() {
    let scripted = Scripted::says([Say::held(), Say::allowed()]);
    let steps = Steps::default();
    guard(&scripted).scope(patient(&steps)).await.unwrap();
    assert_eq!((steps.taken(), scripted.checks().len()), (1, 2));
}
