//! A Guardian that answers by script and remembers what it was asked and told.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use agenttrust::{Action, AgentTrustClient, AgentTrustGuard, Effect, OnElevation};
use agenttrust_testkit::eventually;
use agenttrust_tower::Extracted;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tower::service_fn;
use tower_test::mock::{Handle, SendResponse};

/// The answer to a check.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    Allow,
    /// A permit by the approval `apr_0`, which is used up.
    Approved,
    Deny,
    /// A hold for the approval `apr_1`, until [`Guardian::approve`].
    Hold,
    /// No connection.
    Unreachable,
    /// A check that is never answered.
    Silent,
    /// An error of this status.
    Status(u16),
    /// 200, and not JSON.
    Nonsense,
}

/// A check that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) tool: String,
    pub(crate) effect: String,
    pub(crate) digest: String,
    pub(crate) binds: String,
    pub(crate) scopes: String,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    /// The text of all requests, to look for what should not have been sent.
    pub(crate) sent: String,
}

#[derive(Clone)]
pub(crate) struct Guardian {
    state: Arc<Mutex<State>>,
    approved: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    script: HashMap<String, Script>,
    checks: Vec<Check>,
    events: Vec<Value>,
    questions: usize,
}

impl Guardian {
    /// Creates one that answers every check by `script`.
    pub(crate) fn new(script: Script) -> Self {
        let guardian = Self { state: Arc::default(), approved: watch::Sender::new(false) };
        guardian.on("", script)
    }

    /// Answers checks of `tool` by a script of its own.
    pub(crate) fn on(self, tool: &str, script: Script) -> Self {
        self.state().script.insert(tool.to_owned(), script);
        self
    }

    pub(crate) fn guard(&self) -> AgentTrustGuard {
        AgentTrustGuard::builder(self.client(), "agt_1").session_id("ses_1").build()
    }

    pub(crate) fn client(&self) -> AgentTrustClient {
        let guardian = self.clone();
        AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .api_key("sk_test_of_the_guard")
            .service(service_fn(move |request| guardian.clone().answer(request)))
            .build()
            .expect("the settings are right")
    }

    /// Approves what is held, and whatever would be.
    pub(crate) fn approve(&self) {
        self.approved.send_replace(true);
    }

    pub(crate) fn checks(&self) -> Vec<Check> {
        self.state().checks.clone()
    }

    /// Returns how often it was asked anything: about calls, and about tokens.
    pub(crate) fn questions(&self) -> usize {
        self.state().questions
    }

    /// Waits until `count` checks have arrived.
    pub(crate) async fn asked(&self, count: usize) {
        eventually("the Guardian was not asked", async || self.checks().len() >= count).await;
    }

    /// Returns everything that was reported through `guard`.
    pub(crate) async fn events(&self, guard: &AgentTrustGuard) -> Vec<Value> {
        let _ = guard.flush().await;
        self.state().events.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds it")
    }

    async fn answer(self, request: Request<Bytes>) -> io::Result<Response<Full<Bytes>>> {
        match request.uri().path() {
            "/api/v1/agenttrust/check" => self.check(request).await,
            "/api/v1/telemetry/report" => {
                let body: Value = serde_json::from_slice(request.body())?;
                let mut events = body["events"].as_array().cloned().unwrap_or_default();
                for event in &mut events {
                    event["agent_id"] = body["agent_id"].clone();
                    event["session_id"] = body["session_id"].clone();
                }
                let count = events.len();
                self.state().events.extend(events);
                answer(200, json!({ "accepted": true, "events_processed": count }))
            }
            "/mcp/approvals/apr_1" => {
                let mut approved = self.approved.subscribe();
                approved.wait_for(|approved| *approved).await.map_err(io::Error::other)?;
                answer(200, json!({ "id": "apr_1", "status": "approved" }))
            }
            "/api/v1/agent-tokens/introspect" => self.introspect(&request).await,
            "/api/v1/agenttrust/api-sessions/init" => answer(
                200,
                json!({ "session_id": "ats_of_the_token", "agent_id": "agt_2", "source": "api" }),
            ),
            unknown => panic!("the guard asked for {unknown}"),
        }
    }

    /// Answers that `at_good` works, and no other token does; is silent where checks are.
    async fn introspect(self, request: &Request<Bytes>) -> io::Result<Response<Full<Bytes>>> {
        let script = {
            let mut state = self.state();
            state.questions += 1;
            state.script[""]
        };
        if matches!(script, Script::Silent) {
            return pending().await;
        }
        let body: Value = serde_json::from_slice(request.body())?;
        if body["token"] != "at_good" {
            return answer(200, json!({ "active": false }));
        }
        answer(200, json!({ "active": true, "agent_id": "agt_2", "scopes": ["files:read"] }))
    }

    async fn check(self, request: Request<Bytes>) -> io::Result<Response<Full<Bytes>>> {
        let body: Value = serde_json::from_slice(request.body())?;
        let tool = body["action_name"].as_str().unwrap_or_default().to_owned();
        let script = {
            let mut state = self.state();
            state.questions += 1;
            state.checks.push(Check {
                effect: body["action_effect"].as_str().unwrap_or_default().to_owned(),
                digest: header(&request, "agenttrust-input-digest"),
                binds: header(&request, "agenttrust-binds"),
                scopes: header(&request, "agenttrust-scopes"),
                agent_id: body["agent_id"].as_str().unwrap_or_default().to_owned(),
                session_id: body["session_id"].as_str().unwrap_or_default().to_owned(),
                sent: format!("{request:?}"),
                tool: tool.clone(),
            });
            *state.script.get(&tool).unwrap_or(&state.script[""])
        };
        match script {
            Script::Hold if *self.approved.borrow() => allowed(),
            Script::Allow => allowed(),
            Script::Approved => {
                answer(200, json!({ "allowed": true, "check_id": "chk_1", "approval_id": "apr_0" }))
            }
            Script::Deny => answer(
                200,
                json!({ "allowed": false, "check_id": "chk_1", "reason": "it is not covered" }),
            ),
            Script::Hold => answer(
                200,
                json!({
                    "allowed": false,
                    "check_id": "chk_1",
                    "elevation_required": true,
                    "approval_id": "apr_1",
                    "reason": "somebody has to approve it",
                }),
            ),
            Script::Unreachable => Err(io::ErrorKind::ConnectionRefused.into()),
            Script::Silent => pending().await,
            Script::Status(status) => {
                answer(status, json!({ "error": "SCRIPTED", "message": "the guardian said so" }))
            }
            Script::Nonsense => Ok(Response::new(Full::from("<html>"))),
        }
    }
}

fn header(request: &Request<Bytes>, name: &str) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn allowed() -> io::Result<Response<Full<Bytes>>> {
    answer(200, json!({ "allowed": true, "check_id": "chk_1" }))
}

fn answer(status: u16, body: Value) -> io::Result<Response<Full<Bytes>>> {
    Response::builder()
        .status(status)
        .header("agenttrust-enforced", "digest, scopes")
        .body(Full::from(body.to_string()))
        .map_err(io::Error::other)
}

/// Requests that say what is to be done with them: `pass`, `refuse`, `wait …`, else a tool's name.
#[expect(clippy::ptr_arg, reason = "an extractor takes the request type itself")]
pub(crate) fn by_word(request: &String) -> Extracted {
    match request.as_str() {
        "pass" => Extracted::Pass,
        "refuse" => Extracted::refuse("it says so"),
        tool => {
            let action = Action::new(tool.to_owned()).effect(Effect::Destructive).input(tool);
            match tool.starts_with("wait") {
                true => action.on_elevation(OnElevation::Wait(Duration::from_secs(60))),
                false => action,
            }
            .into()
        }
    }
}

/// Returns the next call that reaches `inner`, and the means to answer it; fails when none does.
pub(crate) async fn called(inner: &mut Handle<String, String>) -> (String, SendResponse<String>) {
    let call = timeout(Duration::from_secs(5), inner.next_request()).await;
    call.expect("no call reached the inner service").expect("the service is still there")
}
