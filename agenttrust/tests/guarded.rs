//! What `#[guarded]` promises: the whole function runs behind the check, or not at all.

#[expect(dead_code, reason = "shared with the guard's own tests, which use the rest")]
mod scripted;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use futures_util::FutureExt;
use scripted::{Say, Scripted};
use serde_json::json;

type Output<T = u32> = Result<T, AgentTrustError>;

/// Counts the statements that ran. A handle: not `Serialize`, and so never an input.
#[derive(Default)]
struct Steps(AtomicU32);

impl Steps {
    fn step(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn taken(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn guard(scripted: &Scripted) -> AgentTrustGuard {
    AgentTrustGuard::builder(scripted.client(), "agent-1")
        .session_id("sess-1")
        .log_inputs(true)
        .build()
}

/// Runs `call` under every answer that is no permission, and then under one that is.
async fn nothing_but_a_permission_runs<T: std::fmt::Debug, F>(call: impl Fn(Arc<Steps>) -> F)
where
    F: Future<Output = Output<T>>,
{
    let refusals =
        [Say::denied(), Say::held(), Say::Garbage, Say::Fail(io::ErrorKind::ConnectionRefused)];
    for refusal in refusals {
        let scripted = Scripted::says([refusal]);
        let guard = guard(&scripted);
        let steps = Arc::new(Steps::default());
        let output = guard.scope(call(Arc::clone(&steps))).await;
        assert!(output.is_err(), "a refused call returned {output:?}");
        assert_eq!(steps.taken(), 0, "a statement ran without a permission");
        guard.flush().await.unwrap();
        assert_eq!(scripted.events(), [], "a call that did not run was reported");
    }
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let steps = Arc::new(Steps::default());
    guard.scope(call(Arc::clone(&steps))).await.unwrap();
    assert!(steps.taken() > 0);
    guard.flush().await.unwrap();
    let [(event, check_id)] = &scripted.events()[..] else {
        panic!("one call leaves one event, not {:?}", scripted.events())
    };
    assert_eq!(event["event_type"], "tool_end");
    assert_eq!(check_id, "chk_1");
}

/// Runs `call` with permission and gives the check it made.
async fn check_of<T>(call: impl Future<Output = Output<T>>) -> serde_json::Value {
    let scripted = Scripted::says([Say::allowed()]);
    guard(&scripted)
        .scope(call)
        .await
        .unwrap_or_else(|error| panic!("an allowed call runs: {error}"));
    scripted.checks()[0].1.clone()
}

// Function shapes.

#[guarded]
async fn async_fn(steps: &Steps, early: bool) -> Output {
    steps.step();
    if early {
        return Ok(steps.step());
    }
    tokio::task::yield_now().await;
    let step: Result<u32, AgentTrustError> = Ok(steps.step());
    step?;
    Ok(steps.step())
}

#[guarded]
fn sync_fn(steps: &Steps, early: bool) -> Output {
    steps.step();
    if early {
        return Ok(steps.step());
    }
    Ok(steps.step())
}

#[guarded]
fn boxed_future(steps: &Steps, early: bool) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
    steps.step();
    if early {
        return Box::pin(async move { Ok(steps.step()) });
    }
    steps.step();
    Box::pin(async move {
        steps.step();
        tokio::task::yield_now().await;
        Ok(steps.step())
    })
}

#[guarded]
fn static_future(steps: Arc<Steps>) -> Pin<Box<dyn Future<Output = Output> + Send>> {
    steps.step();
    Box::pin(async move { Ok(steps.step()) })
}

#[guarded]
fn impl_future(steps: &Steps) -> impl Future<Output = Output> + Send {
    steps.step();
    async move { Ok(steps.step()) }
}

struct Tool {
    steps: Arc<Steps>,
}

impl Tool {
    #[guarded]
    async fn by_ref(&self) -> Output {
        Ok(self.steps.step())
    }

    #[guarded]
    fn by_mut(&mut self) -> Output<&mut Arc<Steps>> {
        self.steps.step();
        Ok(&mut self.steps)
    }

    #[guarded]
    async fn by_mut_async<'a>(
        &'a mut self,
        name: &'a str,
    ) -> Output<(&'a mut Arc<Steps>, &'a str)> {
        self.steps.step();
        Ok((&mut self.steps, name))
    }

    #[guarded]
    fn by_value(mut self) -> Output<Self> {
        self.steps.step();
        self.steps = Arc::clone(&self.steps);
        Ok(self)
    }

    #[guarded]
    async fn by_arc(self: Arc<Self>) -> Output {
        Ok(self.steps.step())
    }

    #[guarded]
    async fn by_pin(self: Pin<&mut Self>) -> Output {
        Ok(self.steps.step())
    }
}

trait Works {
    fn steps(&self) -> &Steps;

    #[guarded]
    fn sync_default(&self) -> Output {
        Ok(self.steps().step())
    }

    #[guarded]
    async fn async_default(&self) -> Output {
        Ok(self.steps().step())
    }
}

impl Works for Tool {
    fn steps(&self) -> &Steps {
        &self.steps
    }
}

#[async_trait::async_trait]
trait BoxedWork {
    async fn work(&self, early: bool) -> Output;
}

#[async_trait::async_trait]
impl BoxedWork for Tool {
    #[guarded]
    async fn work(&self, early: bool) -> Output {
        self.steps.step();
        if early {
            return Ok(self.steps.step());
        }
        tokio::task::yield_now().await;
        Ok(self.steps.step())
    }
}

#[tokio::test]
async fn refused_async_fn_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { async_fn(&steps, false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { async_fn(&steps, true).await }).await;
}

#[tokio::test]
async fn refused_sync_fn_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { sync_fn(&steps, false) }).await;
    nothing_but_a_permission_runs(|steps| async move { sync_fn(&steps, true) }).await;
}

#[test]
fn refused_sync_fn_without_a_runtime_runs_nothing_of_its_body() {
    let scripted = Scripted::says([Say::denied(), Say::allowed()]);
    let guard = guard(&scripted);
    let steps = Steps::default();
    guard.scope_sync(|| sync_fn(&steps, false)).unwrap_err();
    assert_eq!(steps.taken(), 0);
    assert_eq!(guard.scope_sync(|| sync_fn(&steps, false)).unwrap(), 2);
}

#[tokio::test]
async fn refused_future_runs_nothing_of_the_function_that_returns_it() {
    nothing_but_a_permission_runs(|steps| async move { boxed_future(&steps, false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { boxed_future(&steps, true).await }).await;
    nothing_but_a_permission_runs(static_future).await;
    nothing_but_a_permission_runs(|steps| async move { impl_future(&steps).await }).await;
}

#[tokio::test]
async fn a_returned_future_that_is_never_polled_asks_nobody_and_runs_nothing() {
    let scripted = Scripted::says([Say::allowed()]);
    let steps = Steps::default();
    guard(&scripted).scope_sync(|| drop(boxed_future(&steps, false)));
    assert_eq!(steps.taken(), 0);
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn refused_method_runs_nothing_of_its_body_whatever_its_self_is() {
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_ref().await }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_mut().map(drop) }).await;
    nothing_but_a_permission_runs(|steps| async move {
        Tool { steps }.by_mut_async("a").await.map(|(_, name)| assert_eq!(name, "a"))
    })
    .await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.by_value().map(drop) }).await;
    nothing_but_a_permission_runs(|steps| async move { Arc::new(Tool { steps }).by_arc().await })
        .await;
    nothing_but_a_permission_runs(
        |steps| async move { Pin::new(&mut Tool { steps }).by_pin().await },
    )
    .await;
}

#[tokio::test]
async fn refused_trait_method_runs_nothing_of_its_body() {
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.sync_default() }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.async_default().await })
        .await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.work(false).await }).await;
    nothing_but_a_permission_runs(|steps| async move { Tool { steps }.work(true).await }).await;
}

// What is asked.

#[guarded(tool = "db_delete", effect = "destructive", scopes("db:write", "db:admin"), skip(steps))]
async fn delete(steps: &Steps, table: &str, mut ids: Vec<u32>) -> Output {
    ids.clear();
    assert_eq!(table, "users");
    Ok(steps.step())
}

#[tokio::test]
async fn the_check_names_tool_effect_scopes_and_captured_arguments() {
    let answer = json!({ "allowed": true, "check_id": "chk_1" });
    let enforced = vec![("agenttrust-enforced", "digest, scopes")];
    let scripted = Scripted::says([Say::Answer(200, enforced, answer)]);
    guard(&scripted).scope(delete(&Steps::default(), "users", vec![7, 9])).await.unwrap();
    let (headers, check) = scripted.checks().remove(0);
    assert_eq!(check["action_name"], "db_delete");
    assert_eq!(check["action_effect"], "destructive");
    assert_eq!(check["action_input_summary"], r#"{"ids":[7,9],"table":"users"}"#);
    assert!(headers.contains_key("agenttrust-input-digest"));
    let scopes = headers["agenttrust-scopes"].to_str().unwrap();
    assert!(scopes.contains("db:write") && scopes.contains("db:admin"), "{scopes}");
}

#[tokio::test]
async fn the_tool_is_named_after_the_function_and_its_effect_left_to_the_guardian() {
    let check = check_of(async { r#match(1) }).await;
    assert_eq!(check["action_name"], "match");
    assert_eq!(check.get("action_effect"), None);
    assert_eq!(check["action_input_summary"], r#"{"type":1}"#);
}

#[guarded]
fn r#match(r#type: u32) -> Output {
    Ok(r#type)
}

#[derive(serde::Serialize)]
struct Request {
    path: String,
    mode: (u32, u32),
}

struct State(&'static str);
struct CallContext;

#[guarded]
#[allow(clippy::too_many_arguments)]
async fn every_pattern(
    Request { path, mode: (mut a, b @ 0..) }: Request,
    [first, ..]: [u32; 2],
    _: String,
    _steps: &Steps,
    State(name): State,
    _context: &CallContext,
    mut list: Vec<u32>,
    (ref kept, _): (u32, u32),
) -> Output<String> {
    a += 1;
    list.push(first);
    Ok(format!("{path} {a} {b} {name} {list:?} {kept}"))
}

#[tokio::test]
async fn what_a_pattern_binds_is_captured_and_contexts_and_handles_are_not() {
    let scripted = Scripted::says([Say::allowed()]);
    let request = Request { path: "a.txt".into(), mode: (1, 2) };
    let steps = Steps::default();
    let call = every_pattern(
        request,
        [3, 4],
        "unseen".into(),
        &steps,
        State("s"),
        &CallContext,
        vec![],
        (5, 6),
    );
    assert_eq!(guard(&scripted).scope(call).await.unwrap(), "a.txt 2 2 s [3] 5");
    assert_eq!(
        scripted.checks()[0].1["action_input_summary"],
        r#"{"a":1,"b":2,"first":3,"kept":5,"list":[],"path":"a.txt"}"#
    );
}

#[guarded(input(path))]
fn only_the_path(path: &str, content: &str) -> Output<usize> {
    Ok(path.len() + content.len())
}

#[guarded(skip_all)]
fn nothing_captured(path: &str) -> Output<usize> {
    Ok(path.len())
}

#[tokio::test]
async fn input_and_skip_all_choose_what_is_captured() {
    let check = check_of(async { only_the_path("a.txt", "secret") }).await;
    assert_eq!(check["action_input_summary"], r#"{"path":"a.txt"}"#);
    let check = check_of(async { nothing_captured("a.txt") }).await;
    assert_eq!(check.get("action_input_summary"), None);
}

#[guarded]
fn counted<T: serde::Serialize, U>(
    known: T,
    _unknown: U,
    any: impl serde::Serialize,
) -> Output<()> {
    let _ = (known, any);
    Ok(())
}

#[tokio::test]
async fn in_a_generic_function_capture_goes_by_the_bounds_that_were_written() {
    let check = check_of(async { counted(1, 2, "three") }).await;
    assert_eq!(check["action_input_summary"], r#"{"any":"three","known":1}"#);
}

#[guarded]
fn map(entries: &HashMap<(u8, u8), u8>, steps: &Steps) -> Output {
    assert!(!entries.is_empty());
    Ok(steps.step())
}

#[tokio::test]
async fn an_argument_without_json_form_blocks_the_call_and_is_named() {
    let scripted = Scripted::says([Say::allowed()]);
    let steps = Steps::default();
    let entries = HashMap::from([((1, 2), 3)]);
    let error = guard(&scripted).scope_sync(|| map(&entries, &steps)).unwrap_err();
    assert!(error.to_string().contains("`entries`"), "{error}");
    assert_eq!(steps.taken(), 0);
}

#[guarded]
fn factorial(n: u32) -> Output {
    if n == 0 { Ok(1) } else { Ok(n * factorial(n - 1)?) }
}

#[guarded]
async fn countdown(n: u32) -> Output {
    if n == 0 { Ok(0) } else { Box::pin(countdown(n - 1)).await }
}

#[tokio::test]
async fn every_call_of_a_recursive_function_is_checked() {
    let scripted = Scripted::says([Say::allowed()]);
    assert_eq!(guard(&scripted).scope_sync(|| factorial(3)).unwrap(), 6);
    assert_eq!(scripted.checks().len(), 4);

    let scripted = Scripted::says([Say::allowed(), Say::allowed(), Say::denied()]);
    guard(&scripted).scope(countdown(5)).await.unwrap_err();
    assert_eq!(scripted.checks().len(), 3);
}

// Where the guard comes from, and what a denial becomes.

#[tokio::test]
async fn without_any_guard_nothing_runs() {
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

// Neighbouring names.

mod renamed {
    pub(crate) use agenttrust as checked;
}

const SHARED_NAME: &str = "shared_name";

#[guarded(crate = renamed::checked, tool = SHARED_NAME)]
fn through_a_renamed_crate() -> Output<()> {
    Ok(())
}

mod shadows {
    #![allow(non_camel_case_types, dead_code, non_snake_case)]

    use super::guarded;

    mod agenttrust {}
    mod std {}
    mod core {}
    struct Result;
    struct Option;
    struct Box;
    fn Ok() {}
    fn Err() {}
    fn Some() {}
    fn drop() {}

    #[guarded(effect = "destructive", on_elevation = "wait")]
    pub(super) async fn shadowed(
        permit: u8,
        output: u8,
        capture: u8,
        error: u8,
    ) -> super::Output<u8> {
        let action = permit + output;
        let guard = capture + error;
        ::core::result::Result::Ok(action + guard)
    }
}

#[tokio::test]
async fn names_around_and_inside_the_function_do_not_reach_the_expansion() {
    let check = check_of(async { through_a_renamed_crate() }).await;
    assert_eq!(check["action_name"], "shared_name");
    let scripted = Scripted::says([Say::allowed()]);
    let sum = guard(&scripted).scope(shadows::shadowed(1, 2, 3, 4)).await.unwrap();
    assert_eq!(sum, 10);
}

// The function stays itself.

struct Noisy<'a>(&'static str, &'a std::cell::RefCell<Vec<&'static str>>);

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

fn bare_drops(_a: Noisy<'_>, (_b, _c): (Noisy<'_>, Noisy<'_>), d: Noisy<'_>) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[guarded]
fn guarded_drops(_a: Noisy<'_>, (_b, _c): (Noisy<'_>, Noisy<'_>), d: Noisy<'_>) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[guarded]
async fn guarded_async_drops(
    _a: Noisy<'_>,
    (_b, _c): (Noisy<'_>, Noisy<'_>),
    d: Noisy<'_>,
) -> Output<()> {
    let _local = Noisy("local", d.1);
    Ok(())
}

#[tokio::test]
async fn arguments_are_dropped_in_the_order_of_the_bare_function() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let drops = || std::cell::RefCell::new(Vec::new());
    let (bare, sync, spun) = (drops(), drops(), drops());
    let new = |name, log| Noisy(name, log);
    bare_drops(new("a", &bare), (new("b", &bare), new("c", &bare)), new("d", &bare)).unwrap();
    guard.scope_sync(|| {
        guarded_drops(new("a", &sync), (new("b", &sync), new("c", &sync)), new("d", &sync))
            .unwrap();
    });
    guard
        .scope(guarded_async_drops(
            new("a", &spun),
            (new("b", &spun), new("c", &spun)),
            new("d", &spun),
        ))
        .await
        .unwrap();
    assert_eq!(bare.take(), ["local", "d", "c", "b", "a"]);
    assert_eq!(sync.take(), ["local", "d", "c", "b", "a"]);
    assert_eq!(spun.take(), ["local", "d", "c", "b", "a"]);
}

trait Speaks {
    fn speak(&self) -> String;
}

impl Speaks for u8 {
    fn speak(&self) -> String {
        self.to_string()
    }
}

#[guarded]
async fn coerces(early: bool) -> Output<Box<dyn Speaks + Send>> {
    if early {
        return Ok(Box::new(1));
    }
    Ok(Box::new(2))
}

#[guarded(on_denied = |_| Box::new(0))]
async fn coerces_bare(early: bool) -> Box<dyn Speaks + Send> {
    if early {
        return Box::new(1);
    }
    Box::new(2)
}

#[guarded(on_denied = |_| Box::new(0))]
fn coerces_sync(early: bool) -> Box<dyn Speaks + Send> {
    if early {
        return Box::new(1);
    }
    Box::new(2)
}

#[tokio::test]
async fn returned_values_coerce_as_in_the_bare_function() {
    let scripted = Scripted::says([Say::allowed()]);
    guard(&scripted)
        .scope(async {
            assert_eq!(coerces(true).await.unwrap().speak(), "1");
            assert_eq!(coerces_bare(false).await.speak(), "2");
            assert_eq!(coerces_sync(true).speak(), "1");
        })
        .await;
}

#[guarded]
fn conditional(
    #[cfg(any())] _gone: Missing,
    #[cfg(not(any()))] present: u8,
    #[cfg_attr(not(any()), cfg(any()))] _also_gone: Missing,
) -> Output<u8> {
    Ok(present)
}

#[tokio::test]
async fn parameters_that_are_configured_away_are_not_captured() {
    let check = check_of(async { conditional(1) }).await;
    assert_eq!(check["action_input_summary"], r#"{"present":1}"#);
}
