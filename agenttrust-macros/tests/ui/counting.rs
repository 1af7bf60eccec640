//! The room that the cases share: a function runs under every answer that is no permission and then
//! under one that is, while each of its statements is counted.
//!
//! A case calls [`step`] at every statement of the function it is about and says how many of them an
//! allowed call takes: `assert_eq!(steps(3).of(|| tool("a")), "output")`. That a refused call takes
//! none, says why, and is not reported, is asked of every case without a word.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use agenttrust::guard::digest;
use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

static STEPS: AtomicU32 = AtomicU32::new(0);

/// Counts a statement that ran.
pub fn step() {
    STEPS.fetch_add(1, Ordering::SeqCst);
}

/// Returns how many statements ran so far.
pub fn so_far() -> u32 {
    STEPS.load(Ordering::SeqCst)
}

/// Returns how many statements ran since the last call of it.
pub fn taken() -> u32 {
    STEPS.swap(0, Ordering::SeqCst)
}

/// The promise of a guarded function: an allowed call runs so many statements, a refused one none.
pub struct Promise {
    steps: u32,
    calls: usize,
}

/// Returns the promise that an allowed call runs this many statements.
pub fn steps(steps: u32) -> Promise {
    Promise { steps, calls: 1 }
}

impl Promise {
    /// Promises this many checks of an allowed call, because it calls guarded functions itself.
    pub fn in_calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// Keeps the promise with the current guard, and without any; gives the output of the allowed
    /// call.
    pub fn of<T: Debug, E: Refusal>(self, mut call: impl FnMut() -> Result<T, E>) -> T {
        refused("GUARDIAN_UNAVAILABLE", call());
        self.of_named(|guard| guard.scope_sync(&mut call))
    }

    /// Keeps the promise with the guard that `call` hands to the function itself.
    pub fn of_named<T: Debug, E: Refusal>(
        self,
        mut call: impl FnMut(&AgentTrustGuard) -> Result<T, E>,
    ) -> T {
        for (answer, code) in REFUSALS {
            let guardian = Guardian::says([answer]);
            refused(code, call(&guardian.guard));
            assert!(!guardian.checks().is_empty(), "a call was refused without a check");
            assert_eq!(guardian.events().len(), 0, "a call that did not run was reported");
        }
        let run = allowed_by(call);
        let output = match run.output {
            Ok(output) => output,
            Err(refusal) => panic!("an allowed call returned {refusal:?}"),
        };
        assert_eq!(run.steps, self.steps, "the statements that an allowed call ran");
        assert_eq!(run.checks.len(), self.calls, "the checks that an allowed call made");
        assert_eq!(run.outcomes, vec!["success"; self.calls], "what an allowed call reported");
        output
    }
}

/// The output of a call that was not allowed.
pub trait Refusal: Debug {
    /// Returns the code of the denial, if the output can carry one.
    fn code(&self) -> Option<&str>;
}

impl Refusal for AgentTrustError {
    fn code(&self) -> Option<&str> {
        Some(self.code())
    }
}

/// A code, as `on_denied = |error| error.code().to_owned()` leaves it behind.
impl Refusal for String {
    fn code(&self) -> Option<&str> {
        Some(self)
    }
}

/// An output that cannot say why.
#[derive(Debug)]
pub struct Silent;

impl Refusal for Silent {
    fn code(&self) -> Option<&str> {
        None
    }
}

/// Checks that a call did not run, and that its output says `code`.
pub fn refused<T: Debug, E: Refusal>(code: &str, output: Result<T, E>) {
    assert_eq!(taken(), 0, "statements ran without a permission");
    match output {
        Ok(output) => panic!("a call that was not allowed ({code}) returned {output:?}"),
        Err(refusal) => assert_eq!(refusal.code().unwrap_or(code), code),
    }
}

/// The steps and the output of one allowed call.
pub struct Run<R> {
    pub output: R,
    pub steps: u32,
    pub checks: Vec<Check>,
    /// `success`, or the type of the error, of everything that was reported.
    pub outcomes: Vec<String>,
}

/// Runs `call` with permission, whatever becomes of it.
pub fn allowed<R>(call: impl FnOnce() -> R) -> Run<R> {
    allowed_by(|guard| guard.scope_sync(call))
}

fn allowed_by<R>(call: impl FnOnce(&AgentTrustGuard) -> R) -> Run<R> {
    let guardian = Guardian::says([Answer::Allowed]);
    taken();
    let output = call(&guardian.guard);
    let outcomes = guardian.events().iter().map(outcome).collect();
    Run { output, steps: taken(), checks: guardian.checks(), outcomes }
}

fn outcome(event: &Value) -> String {
    if event["success"] == true { "success" } else { event["error_type"].as_str().unwrap() }
        .to_owned()
}

/// Checks that the one check of `call` carries exactly these arguments; `null` for none at all.
pub fn captures<R>(expected: Value, call: impl FnOnce() -> R) {
    let run = allowed(call);
    let [check] = &run.checks[..] else { panic!("a call was checked {} times", run.checks.len()) };
    let digest =
        check.headers.get("agenttrust-input-digest").map(|digest| digest.to_str().unwrap());
    if expected.is_null() {
        assert_eq!((digest, check.body.get("action_input_summary")), (None, None));
        return;
    }
    let summary = check.body["action_input_summary"].as_str().unwrap();
    // The text is cut when it is long, the digest is of all of it.
    if summary.chars().count() < 200 {
        assert_eq!(serde_json::from_str::<Value>(summary).unwrap(), expected);
    }
    assert_eq!(digest.unwrap(), digest::commit(&KEY, &expected).unwrap().digest);
}

/// Runs `future` to its end on a runtime of this thread alone.
pub fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The answer of a Guardian to a check.
#[derive(Clone, Copy)]
pub enum Answer {
    Allowed,
    Denied,
    Held,
    /// A body that is no answer to a check.
    Garbage,
    /// No answer: there is no Guardian.
    Unreachable,
}

const REFUSALS: [(Answer, &str); 4] = [
    (Answer::Denied, "ACTION_DENIED"),
    (Answer::Held, "ELEVATION_REQUIRED"),
    (Answer::Garbage, "JSON_ERROR"),
    (Answer::Unreachable, "GUARDIAN_UNAVAILABLE"),
];

const KEY: [u8; 32] = [7; 32];

/// A check, as it came in.
#[derive(Clone)]
pub struct Check {
    pub headers: HeaderMap,
    pub body: Value,
}

#[derive(Default)]
struct Asked {
    script: VecDeque<Answer>,
    approval: Option<&'static str>,
    checks: Vec<Check>,
    events: Vec<Value>,
}

/// A Guardian in this process that says what it is told to, and the guard that asks it.
pub struct Guardian {
    asked: Arc<Mutex<Asked>>,
    pub guard: AgentTrustGuard,
}

impl Guardian {
    /// Says these to the checks, in order; the last one again and again.
    pub fn says(script: impl IntoIterator<Item = Answer>) -> Self {
        let asked = Arc::new(Mutex::new(Asked::default()));
        asked.lock().unwrap().script.extend(script);
        let state = Arc::clone(&asked);
        let service = tower::service_fn(move |request| {
            let answer = answer(&mut state.lock().unwrap(), &request);
            async move { answer }
        });
        let client = AgentTrustClient::builder().base_url("http://guardian.test").service(service);
        let guard = AgentTrustGuard::builder(client.build().unwrap(), "agent-1")
            .log_inputs(true)
            .binding_key(KEY)
            .build();
        Self { asked, guard }
    }

    /// Says this status of the approval that a held call waits for; by default another call has used
    /// it up.
    pub fn and_of_the_approval(self, status: &'static str) -> Self {
        self.asked.lock().unwrap().approval = Some(status);
        self
    }

    pub fn checks(&self) -> Vec<Check> {
        self.asked.lock().unwrap().checks.clone()
    }

    /// Returns everything reported until now.
    pub fn events(&self) -> Vec<Value> {
        run(self.guard.flush()).unwrap();
        self.asked.lock().unwrap().events.clone()
    }
}

fn answer(asked: &mut Asked, request: &Request<Bytes>) -> io::Result<Response<Full<Bytes>>> {
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let path = request.uri().path();
    let says = if path.ends_with("/check") {
        asked.checks.push(Check { headers: request.headers().clone(), body });
        let next = if asked.script.len() > 1 { asked.script.pop_front() } else { None };
        match next.unwrap_or(asked.script[0]) {
            Answer::Allowed => json!({ "allowed": true, "check_id": "chk_1" }).to_string(),
            Answer::Denied => json!({ "allowed": false, "reason": "not today" }).to_string(),
            Answer::Held => {
                json!({ "allowed": false, "elevation_required": true, "approval_id": "apr_1" })
                    .to_string()
            }
            Answer::Garbage => "<html>".to_owned(),
            Answer::Unreachable => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
    } else if path.ends_with("/report") {
        asked.events.extend(body["events"].as_array().unwrap().clone());
        json!({ "accepted": true, "events_processed": asked.events.len() }).to_string()
    } else {
        json!({ "id": "apr_1", "status": asked.approval.unwrap_or("consumed") }).to_string()
    };
    let response = Response::builder().header("agenttrust-enforced", "digest, scopes");
    Ok(response.body(Full::new(says.into())).unwrap())
}
