//! The proxy in front of MCP servers that others wrote: `/mcp/{server_id}`, in both eras of the protocol.
//!
//! A message is read, told apart and checked; what was checked is what is handed on, as the proxy writes it. Nothing
//! else of the caller's goes to the server, and of what the server says the caller hears what the protocol knows.
//!
//! - `turn.rs` is one message, `guarded.rs` one that is checked (`check.rs`, `hold.rs`), `initialize.rs` one that opens
//!   a session, `streams.rs` what a session has beside. `subject.rs` is who calls.
//! - `era.rs`, `methods.rs` and `extension.rs` are what the protocol knows, and `session.rs` is how a session is named.
//!   `sealed_ids.rs` and `task_owners.rs` know to which agent the tasks and events of a server belong. `refusal.rs` and
//!   `metadata.rs` are the answers of the proxy itself.
//! - `upstream.rs`, `tools.rs` and `own_sessions.rs` are what is known of the servers. `send.rs` and `forward.rs` are
//!   the way there, `pump.rs` and `answer.rs` the way back (`rewrite.rs` has what is not handed on word by word).
//!   `report.rs` reports how a call ended, `resumes.rs` follows a stream that goes on, and `unanswered.rs` a call whose
//!   answer comes on another stream of its session.
//!
//! Of `params._meta`, a call that is checked takes along what MCP has servers go by, which is not bound: the token of
//! its progress, its trace and `io.modelcontextprotocol/…`. The rest of it is left out, since nothing that was not
//! checked is to steer a tool.

mod answer;
mod answer_shares;
mod check;
mod era;
mod extension;
mod forward;
mod guarded;
mod hold;
mod initialize;
mod metadata;
mod methods;
mod own_sessions;
mod pump;
mod refusal;
mod report;
mod resumes;
mod rewrite;
mod sealed_ids;
mod send;
mod session;
mod streams;
mod subject;
mod task_owners;
mod tools;
mod trace;
mod turn;
mod unanswered;
mod upstream;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::sync::Semaphore;

use self::hold::OpenCalls;
pub(crate) use self::metadata::all_of;
use self::own_sessions::OwnSessions;
pub(crate) use self::refusal::Refusal;
pub(crate) use self::subject::{Subject, TOKEN_PREFIX, gateway};
use self::task_owners::TaskOwners;
#[cfg(feature = "cli")]
pub(crate) use self::tools::may_see;
use self::turn::Turn;
use self::unanswered::UnansweredCalls;
use self::upstream::Upstream;
use crate::domain::Base;
use crate::domain::limits::Share;
use crate::engine::Engine;
use crate::registry::McpServerEntry;
use crate::services::sealed;
use crate::store::SecretOf;

/// The number of lists of tools that are read at once.
const LISTS_READ: usize = 4;

/// The knowledge of one Guardian's proxy about the servers behind it.
pub(crate) struct Proxy {
    engine: Arc<Engine>,
    upstreams: Mutex<HashMap<String, Arc<Upstream>>>,
    sessions: OwnSessions,
    unanswered: UnansweredCalls,
    open_calls: OpenCalls,
    /// The tasks that agents were given.
    tasks: TaskOwners,
    /// The places for callers that read a list of tools: what is read takes many times its text.
    lists: Semaphore,
}

/// The caller and the server that it asks, with what came with the request beside its body.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) server: Arc<McpServerEntry>,
    pub(crate) subject: Subject,
    pub(crate) base: Base,
    pub(crate) headers: HeaderMap,
    /// Its place among the requests under way.
    pub(crate) place: Option<Arc<Share>>,
}

impl Proxy {
    /// Returns the proxy of this Guardian.
    pub(crate) fn new(engine: Arc<Engine>) -> Arc<Self> {
        let (upstreams, sessions) = (Mutex::default(), OwnSessions::default());
        let (unanswered, open_calls) = (UnansweredCalls::default(), OpenCalls::default());
        let (tasks, lists) = (TaskOwners::default(), Semaphore::new(LISTS_READ));
        Arc::new(Self { engine, upstreams, sessions, unanswered, open_calls, tasks, lists })
    }

    /// Answers one message.
    pub(crate) async fn post(self: &Arc<Self>, asked: Asked, body: Bytes) -> Response {
        Turn::take(self, asked, body).await
    }

    /// Answers with the stream of a session.
    pub(crate) async fn listen(self: &Arc<Self>, asked: Asked) -> Response {
        streams::listen(self, asked).await.unwrap_or_else(Refusal::into_response)
    }

    /// Ends a session.
    pub(crate) async fn end(self: &Arc<Self>, asked: Asked) -> Response {
        streams::end(self, asked).await.unwrap_or_else(Refusal::into_response)
    }

    /// Returns what is known of the server of this id.
    fn upstream(&self, server_id: &str) -> Arc<Upstream> {
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = upstreams.get(server_id) {
            return Arc::clone(known);
        }
        // Those of servers that were removed go when another one comes.
        upstreams.retain(|id, _| self.engine.registry.mcp_servers.get(id).is_some());
        Arc::clone(upstreams.entry(server_id.to_owned()).or_default())
    }

    /// Returns what the server is sent as `Authorization`.
    ///
    /// # Errors
    ///
    /// Unavailable where it cannot be opened.
    fn authorization(&self, server: &McpServerEntry) -> Result<Option<HeaderValue>, Refusal> {
        let Some(text) = &server.row.authorization else { return Ok(None) };
        let sealer = &self.engine.sealer;
        let opened = sealed::open(sealer, SecretOf::McpServer, &server.row.id, text)?;
        let mut value = HeaderValue::from_str(opened.expose()).map_err(|_| {
            Refusal::upstream(
                "what is sent to the MCP server as Authorization is no header; register the server again",
            )
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(..)")
    }
}
