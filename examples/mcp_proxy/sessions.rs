//! The owner of each MCP session: a session belongs to the agent that opened it, and to no other.
//!
//! Calls are checked as the agent that makes them, whatever session they come in. But a session is more than its calls.
//! Its streams carry what the server says to the agent that opened it, such as questions of its tools. A caller that
//! knows its id could listen, answer and end it. The server behind cannot tell: it is not shown who sends.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use agenttrust::AgentIdentity;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use lru::LruCache;
use serde_json::json;

/// The largest number of sessions that are remembered. A session that is pushed out is gone for its agent too, which
/// then opens another, as after a restart of this program.
const MOST: NonZeroUsize = NonZeroUsize::new(4096).expect("it is more than none");

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The sessions that are open, each with the id of its agent.
#[derive(Clone, Debug)]
pub(crate) struct Sessions(Arc<Mutex<LruCache<String, String>>>);

impl Sessions {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(MOST))))
    }

    fn is_of(&self, session: &str, agent: &str) -> bool {
        self.with(|all| all.get(session).is_some_and(|owner| owner == agent))
    }

    /// Remembers the agent of a session. A session that has an agent keeps it, whatever a server says later.
    fn opened(&self, session: &str, agent: &str) {
        self.with(|all| {
            all.get_or_insert(session.to_owned(), || agent.to_owned());
        });
    }

    fn ended(&self, session: &str) {
        self.with(|all| all.pop(session));
    }

    fn with<T>(&self, act: impl FnOnce(&mut LruCache<String, String>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets a request through in a session of its own agent, or in none.
pub(crate) async fn of_their_agents(
    State(sessions): State<Sessions>,
    Extension(agent): Extension<AgentIdentity>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(named) = named(request.headers()) else { return not_found() };
    let agent = agent.agent_id();
    // One that is not known may be anybody's.
    if named.as_ref().is_some_and(|session| !sessions.is_of(session, agent)) {
        return not_found();
    }
    let ends = request.method() == Method::DELETE;
    let answer = next.run(request).await;
    match (named, self::named(answer.headers())) {
        (Some(session), _) if ends && answer.status().is_success() => sessions.ended(&session),
        (None, Ok(Some(session))) => sessions.opened(&session, agent),
        _ => {}
    }
    answer
}

/// Returns which session is meant; of several, or of what is no text, the server might take another one than we.
fn named(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let mut all = headers.get_all(SESSION).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(session), None) => session.to_str().map(|text| Some(text.to_owned())).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Returns the answer of a server to a session that it does not know, so that no caller learns whose ids are in use.
/// MCP clients open a new one then.
fn not_found() -> Response {
    let error = json!({ "code": -32001, "message": "there is no such session; open a new one" });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}
