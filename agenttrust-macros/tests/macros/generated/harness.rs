//! What the generated program calls: things that happen in an order, a Guardian that says one thing to
//! everybody, and the comparison of two functions.

use std::cell::RefCell;
use std::fmt::{self, Debug};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, CallOutcome, Outcome};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

/// The inputs that every pair is called with.
const INPUTS: [i64; 4] = [0, 1, -7, 1_000_003];

/// The bound between numbers: values that are given to a function have those below, and values that its body makes
/// those above.
const GIVEN: u32 = 100;

/// Below this is `self`, and what no name is bound to: unused by the body, it may outlive it.
const NAMED: u32 = 10;

/// The output that a denial becomes where only a number can be returned.
const DENIED: i64 = -999_999;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Ran(u32, i64),
    Dropped(u32),
    /// The output was asked how the call went.
    Asked,
    /// The caller has the output.
    Returned,
}

thread_local! {
    static LOG: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

fn push(step: Step) {
    LOG.with_borrow_mut(|log| log.push(step));
}

/// Records that a step of the generated body ran, and returns its value.
pub fn run_step(site: u32, value: i64) -> i64 {
    push(Step::Ran(site, value));
    value
}

/// Returns something that happens and may fail.
pub fn fallible(site: u32, value: i64) -> Result<i64, Small> {
    run_step(site, value);
    if value.rem_euclid(4) == 3 { Err(Small(value)) } else { Ok(value) }
}

pub fn maybe(site: u32, value: i64) -> Option<i64> {
    run_step(site, value);
    (value.rem_euclid(4) != 2).then_some(value)
}

/// Returns something that happens after the executor had its turn.
pub async fn pause(site: u32, value: i64) -> i64 {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(run_step(site, value));
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

pub fn consume<T>(site: u32, value: T) -> i64 {
    run_step(site, 0);
    drop(value);
    run_step(site, 1)
}

/// Returns the future, which may change threads.
pub fn sent<F: Future + Send>(future: F) -> F {
    future
}

/// Says when it is dropped. Not `Serialize`, and so never an input.
#[derive(Debug)]
pub struct Noisy(pub u32);

impl Noisy {
    pub fn value(&self) -> i64 {
        run_step(self.0, 2)
    }
}

impl Drop for Noisy {
    fn drop(&mut self) {
        push(Step::Dropped(self.0));
    }
}

#[derive(Debug)]
pub struct Small(pub i64);

#[derive(Debug)]
pub enum Failure {
    Own(i64),
    Small(i64),
    Denied,
}

impl Failure {
    pub fn code(&self) -> i64 {
        match self {
            Self::Own(code) | Self::Small(code) => *code,
            Self::Denied => DENIED,
        }
    }
}

impl From<Small> for Failure {
    fn from(Small(code): Small) -> Self {
        Self::Small(code)
    }
}

impl From<Failure> for Small {
    fn from(failure: Failure) -> Self {
        Self(failure.code())
    }
}

impl From<AgentTrustError> for Failure {
    fn from(_: AgentTrustError) -> Self {
        Self::Denied
    }
}

impl From<AgentTrustError> for Small {
    fn from(_: AgentTrustError) -> Self {
        Self(DENIED)
    }
}

/// Returns the number that says that a call was denied.
pub fn denied(error: &AgentTrustError) -> i64 {
    assert_eq!(error.code(), "ACTION_DENIED", "{error}");
    DENIED
}

/// An output that says itself how the call went, and when it was asked.
#[derive(Debug)]
pub struct Reply {
    pub value: i64,
    pub failed: bool,
}

impl Reply {
    pub fn denied(error: AgentTrustError) -> Self {
        Self { value: denied(&error), failed: true }
    }
}

impl Outcome for Reply {
    fn outcome(&self) -> CallOutcome {
        push(Step::Asked);
        if self.failed { CallOutcome::failure("Failed") } else { CallOutcome::Success }
    }
}

/// Two of them: what is moved into the body is moved whole.
#[derive(Debug)]
pub struct Both {
    pub first: Noisy,
    pub second: Noisy,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Pair {
    pub left: i64,
    pub right: i64,
}

/// The type that methods are of.
#[derive(Debug)]
pub struct Tool {
    pub first: Noisy,
    pub base: i64,
    pub items: Vec<i64>,
    pub second: Noisy,
}

impl Tool {
    pub fn new(input: i64) -> Self {
        Self { first: Noisy(1), base: input, items: vec![input, 2, 3], second: Noisy(2) }
    }
}

/// An output that shows what became of the call.
pub trait Judged: Debug {
    /// Returns the type of the error, if it failed.
    fn failure(&self) -> Option<&'static str>;

    /// Returns whether it is what a denial becomes.
    fn is_denial(&self) -> bool;
}

impl<T: Debug> Judged for Result<T, Failure> {
    fn failure(&self) -> Option<&'static str> {
        self.is_err().then_some("Failure")
    }

    fn is_denial(&self) -> bool {
        matches!(self, Err(Failure::Denied))
    }
}

impl<T: Debug> Judged for Result<T, Small> {
    fn failure(&self) -> Option<&'static str> {
        self.is_err().then_some("Small")
    }

    fn is_denial(&self) -> bool {
        matches!(self, Err(Small(DENIED)))
    }
}

impl Judged for Option<i64> {
    fn failure(&self) -> Option<&'static str> {
        None
    }

    fn is_denial(&self) -> bool {
        self.is_none()
    }
}

impl Judged for i64 {
    fn failure(&self) -> Option<&'static str> {
        None
    }

    fn is_denial(&self) -> bool {
        *self == DENIED
    }
}

impl Judged for Reply {
    fn failure(&self) -> Option<&'static str> {
        self.failed.then_some("Failed")
    }

    fn is_denial(&self) -> bool {
        self.value == DENIED
    }
}

/// The output of a call.
#[derive(PartialEq, Eq, Debug)]
pub struct Shown {
    output: String,
    failure: Option<&'static str>,
    is_denial: bool,
    /// The value that was lent to the call, as it is afterwards.
    pub lent: String,
}

impl Shown {
    pub fn of(output: &impl Judged) -> Self {
        push(Step::Returned);
        Self {
            output: format!("{output:?}"),
            failure: output.failure(),
            is_denial: output.is_denial(),
            lent: String::new(),
        }
    }

    pub fn lending(self, lent: &dyn fmt::Debug) -> Self {
        Self { lent: format!("{lent:?}"), ..self }
    }
}

type Call = fn(i64) -> Pin<Box<dyn Future<Output = Shown>>>;

/// A body, bare and guarded.
pub struct Case {
    pub name: &'static str,
    pub bare: Call,
    pub guarded: Call,
    /// The value that is lent to a call, as it is before.
    pub lent: fn(i64) -> String,
}

#[derive(Clone, Default)]
struct Guardian {
    denies: bool,
    heard: Arc<Mutex<Recorded>>,
}

#[derive(Default)]
struct Recorded {
    checks: usize,
    events: Vec<Value>,
}

impl Guardian {
    fn guard(&self) -> AgentTrustGuard {
        let guardian = self.clone();
        let client = AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .service(tower::service_fn(move |request: Request<Bytes>| {
                let answer = Full::new(Bytes::from(guardian.answer(&request).to_string()));
                let answer = Response::builder()
                    .header("agenttrust-enforced", "digest, scopes")
                    .body(answer)
                    .unwrap();
                std::future::ready(io::Result::Ok(answer))
            }))
            .build()
            .unwrap();
        AgentTrustGuard::builder(client, "agent-1").session_id("sess-1").build()
    }

    fn answer(&self, request: &Request<Bytes>) -> Value {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let mut heard = self.heard.lock().unwrap();
        match request.uri().path() {
            "/api/v1/agenttrust/check" => {
                heard.checks += 1;
                json!({ "allowed": !self.denies, "check_id": "chk_1", "reason": "as scripted" })
            }
            "/api/v1/telemetry/report" => {
                let events = body["events"].as_array().unwrap();
                heard.events.extend(events.iter().cloned());
                json!({ "accepted": true, "events_processed": events.len() })
            }
            other => panic!("nobody asks for {other}"),
        }
    }

    fn take(&self) -> Recorded {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Returns what a call gave back and did, until its caller had the output and after.
async fn traced(call: impl Future<Output = Shown>) -> (Shown, Vec<Step>) {
    LOG.take();
    let shown = call.await;
    (shown, LOG.take())
}

/// Compares every pair; panics with the first difference of each that differs.
pub fn compare(cases: &[Case]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let differences = runtime.block_on(differences(cases));
    assert!(
        differences.is_empty(),
        "{} pairs differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

async fn differences(cases: &[Case]) -> Vec<String> {
    let (allowing, denying) =
        (Guardian::default(), Guardian { denies: true, ..Guardian::default() });
    let (allows, denies) = (allowing.guard(), denying.guard());
    let mut differences = Vec::new();
    let (mut calls, mut failures) = (0, 0);
    for case in cases {
        for input in INPUTS {
            let (bare, expected) = traced((case.bare)(input)).await;
            calls += 1;
            failures += usize::from(bare.failure.is_some());

            let (guarded, log) = traced(allows.scope((case.guarded)(input))).await;
            allows.flush().await.unwrap();
            let heard = allowing.take();
            let allowed = same(&bare, &expected, &guarded, log)
                .and_then(|()| reported_once(heard, bare.failure));

            let (guarded, log) = traced(denies.scope((case.guarded)(input))).await;
            denies.flush().await.unwrap();
            let heard = denying.take();
            let denied = nothing_ran(&guarded, &(case.lent)(input), &log, &expected)
                .and_then(|()| not_reported(heard));

            if let Err(problem) = allowed.and(denied) {
                differences.push(format!("{}({input}): {problem}", case.name));
                break;
            }
        }
    }
    println!("{} pairs, {calls} calls, {failures} of them failed", cases.len());
    assert!(
        failures * 20 > calls && failures * 2 < calls,
        "the bodies fail too seldom or too often"
    );
    differences
}

fn same(
    bare: &Shown,
    expected: &[Step],
    guarded: &Shown,
    mut log: Vec<Step>,
) -> Result<(), String> {
    if bare != guarded {
        return Err(format!("{guarded:?} instead of {bare:?}"));
    }
    if let Some(asked) = log.iter().position(|step| *step == Step::Asked) {
        log.remove(asked);
        let mut late = log[asked..].iter().take_while(|step| **step != Step::Returned);
        if let Some(late) = late.find(|step| !matches!(step, Step::Dropped(site) if *site < NAMED))
        {
            return Err(format!("{late:?} after the call was reported"));
        }
    }
    if log == expected {
        return Ok(());
    }
    let at = log.iter().zip(expected).take_while(|(one, other)| one == other).count();
    Err(format!(
        "after {at} steps, {:?} instead of {:?}",
        &log[at..log.len().min(at + 6)],
        &expected[at..expected.len().min(at + 6)]
    ))
}

fn reported_once(heard: Recorded, failure: Option<&str>) -> Result<(), String> {
    let [event] = &heard.events[..] else {
        return Err(format!("{} events for one call", heard.events.len()));
    };
    let as_it_went = match failure {
        None => event["event_type"] == "tool_end" && event["success"] == true,
        Some(failure) => {
            event["event_type"] == "tool_error"
                && event["success"] == false
                && event["error_type"] == failure
        }
    };
    match (heard.checks, as_it_went) {
        (1, true) => Ok(()),
        (1, false) => Err(format!("failure {failure:?} reported as {event}")),
        (checks, _) => Err(format!("{checks} checks for one call")),
    }
}

fn nothing_ran(guarded: &Shown, lent: &str, log: &[Step], allowed: &[Step]) -> Result<(), String> {
    if !guarded.is_denial {
        return Err(format!("{} instead of a denial", guarded.output));
    }
    if guarded.lent != lent {
        return Err(format!("denied, and {} is not {lent} any more", guarded.lent));
    }
    if let Some(step) = log.iter().find(|step| matches!(step, Step::Ran(..) | Step::Asked)) {
        return Err(format!("denied, and {step:?} all the same"));
    }
    // What the function was given is dropped, each once; what its body makes is not there.
    let mut dropped: Vec<_> = log.iter().filter(|step| matches!(step, Step::Dropped(_))).collect();
    dropped.sort_by_key(|step| format!("{step:?}"));
    let is_given = |step: &&Step| matches!(step, Step::Dropped(site) if *site < GIVEN);
    let mut given: Vec<_> = allowed.iter().filter(is_given).collect();
    given.sort_by_key(|step| format!("{step:?}"));
    if dropped != given {
        return Err(format!("denied, and dropped {dropped:?} instead of {given:?}"));
    }
    Ok(())
}

fn not_reported(heard: Recorded) -> Result<(), String> {
    match heard.events.first() {
        None => Ok(()),
        Some(event) => Err(format!("denied, and reported all the same: {event}")),
    }
}
