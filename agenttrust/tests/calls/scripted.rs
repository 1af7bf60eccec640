//! A Guardian that says what a test tells it to, over the client's own transport.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use agenttrust::AgentTrustClient;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

/// The answer to one check.
#[derive(Clone)]
pub(crate) enum Say {
    /// This status, headers and body.
    Answer(u16, Vec<(&'static str, &'static str)>, Value),
    /// Text that is no JSON.
    Garbage,
    /// This status and a page, from a proxy in between.
    Proxy(u16),
    /// No answer: the transport fails like this.
    Fail(io::ErrorKind),
    /// No answer, ever.
    Silence,
    /// This, after a moment.
    Pause(Box<Say>),
    /// This, after something happened while the check was on its way.
    Meanwhile(Arc<dyn Fn() + Send + Sync>, Box<Say>),
}

impl Say {
    pub(crate) fn allowed() -> Self {
        Self::Answer(200, vec![], json!({ "allowed": true, "check_id": "chk_1" }))
    }

    pub(crate) fn denied() -> Self {
        let body = json!({ "allowed": false, "check_id": "chk_2", "reason": "not today" });
        Self::Answer(200, vec![], body)
    }

    pub(crate) fn held() -> Self {
        let body = json!({ "allowed": false, "elevation_required": true, "approval_id": "apr_1" });
        Self::Answer(200, vec![], body)
    }

    /// Returns an answer that was not decided in time: to be asked again after so many
    /// milliseconds.
    pub(crate) fn undecided(after: &'static str) -> Self {
        let body = json!({ "allowed": false, "reason": "the database is slow" });
        Self::Answer(200, vec![("agenttrust-retry-after", after), SIGNED], body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, vec![], json!({ "error": "X", "message": "said the gateway" }))
    }
}

/// The header that our Guardian puts on every answer.
pub(crate) const SIGNED: (&str, &str) = ("agenttrust-guardian", "1");

#[derive(Default)]
struct State {
    script: VecDeque<Say>,
    /// The answers about approvals before it says that they are approved.
    approvals: VecDeque<Say>,
    checks: Vec<(http::HeaderMap, Value)>,
    reports: Vec<(http::HeaderMap, Value)>,
    others: Vec<(String, Value)>,
}

/// The script, and what was asked.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    state: Arc<Mutex<State>>,
}

impl Scripted {
    /// Says these to the checks, in order; the last one again and again.
    pub(crate) fn says(script: impl IntoIterator<Item = Say>) -> Self {
        let scripted = Self::default();
        scripted.state.lock().unwrap().script.extend(script);
        scripted
    }

    /// Says these, in order, to what is neither a check nor a report.
    pub(crate) fn answers(script: impl IntoIterator<Item = Value>) -> Self {
        let answers = script.into_iter().map(|body| Say::Answer(200, vec![], body));
        Self::default().and_of_approvals(answers)
    }

    /// Says these first when it is asked for an approval.
    pub(crate) fn and_of_approvals(self, script: impl IntoIterator<Item = Say>) -> Self {
        self.state.lock().unwrap().approvals.extend(script);
        self
    }

    /// Sets what it says to the checks from now on.
    pub(crate) fn now_says(&self, script: impl IntoIterator<Item = Say>) {
        self.state.lock().unwrap().script = script.into_iter().collect();
    }

    pub(crate) fn client(&self) -> AgentTrustClient {
        let state = Arc::clone(&self.state);
        AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .service(tower::service_fn(move |request: Request<Bytes>| {
                let say = receive(&mut state.lock().unwrap(), &request);
                async move {
                    let say = match say {
                        Say::Pause(say) => {
                            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                            *say
                        }
                        Say::Meanwhile(happens, say) => {
                            happens();
                            *say
                        }
                        say => say,
                    };
                    match say {
                        Say::Answer(status, headers, body) => {
                            let mut response = Response::builder().status(status);
                            for (name, value) in headers {
                                response = response.header(name, value);
                            }
                            Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
                        }
                        Say::Proxy(status) => {
                            let page = Full::new(Bytes::from("<html>bad gateway</html>"));
                            Ok(Response::builder().status(status).body(page).unwrap())
                        }
                        Say::Garbage => Ok(Response::new(Full::new(Bytes::from("<html>")))),
                        Say::Fail(kind) => Err(io::Error::new(kind, "scripted")),
                        Say::Silence | Say::Pause(_) | Say::Meanwhile(..) => {
                            std::future::pending().await
                        }
                    }
                }
            }))
            .build()
            .unwrap()
    }

    /// Returns bodies and headers of the checks so far.
    pub(crate) fn checks(&self) -> Vec<(http::HeaderMap, Value)> {
        self.state.lock().unwrap().checks.clone()
    }

    /// Returns every event reported so far, with its check id.
    pub(crate) fn events(&self) -> Vec<(Value, String)> {
        let state = self.state.lock().unwrap();
        let of = |(headers, body): &(http::HeaderMap, Value)| {
            let events = body["events"].as_array().unwrap().clone();
            let ids = headers.get("agenttrust-check-ids").map_or("", |ids| ids.to_str().unwrap());
            let mut ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
            ids.resize(events.len(), "-".to_owned());
            events.into_iter().zip(ids).collect::<Vec<_>>()
        };
        state.reports.iter().flat_map(of).collect()
    }

    /// Returns the sizes of the batches reported so far.
    pub(crate) fn batches(&self) -> Vec<usize> {
        let state = self.state.lock().unwrap();
        state.reports.iter().map(|(_, body)| body["events"].as_array().unwrap().len()).collect()
    }

    /// Returns method, path and body of everything else that was asked.
    pub(crate) fn others(&self) -> Vec<(String, Value)> {
        self.state.lock().unwrap().others.clone()
    }
}

fn receive(state: &mut State, request: &Request<Bytes>) -> Say {
    let body = serde_json::from_slice(request.body()).unwrap_or_default();
    match request.uri().path() {
        "/api/v1/agenttrust/check" => {
            state.checks.push((request.headers().clone(), body));
            match state.script.len() {
                0 => Say::denied(),
                1 => state.script[0].clone(),
                _ => state.script.pop_front().unwrap(),
            }
        }
        "/api/v1/telemetry/report" => {
            let events = body["events"].as_array().map_or(0, Vec::len);
            state.reports.push((request.headers().clone(), body));
            Say::Answer(200, vec![], json!({ "accepted": true, "events_processed": events }))
        }
        _ => {
            state.others.push((format!("{} {}", request.method(), request.uri()), body));
            if let Some(say) = state.approvals.pop_front() {
                return say;
            }
            Say::Answer(200, vec![], json!({ "id": "apr_1", "status": "approved" }))
        }
    }
}
