//! Sessions that the proxy opens itself, of the era that has sessions: for clients that know nothing of MCP, one for
//! each agent, and one of its own for looking at a server's tools. As many as there may be, and ended when idle.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use agenttrust::background;
use bytes::Bytes;
use http::{Method, StatusCode};
use lru::LruCache;
use serde_json::{Map, Value, json};

use super::Proxy;
use super::era::{LEGACY, known};
use super::refusal::Refusal;
use super::send::{self, Outward};
use super::upstream::{client_info, everything, request, result_of};
use crate::outbound::Incoming;
use crate::registry::McpServerEntry;

/// How many there are at most; the one that was used longest ago ends first.
const MOST: NonZeroUsize = match NonZeroUsize::new(1_024) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};
/// After so much silence one is ended.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// A session of the proxy's own.
#[derive(Debug)]
pub(super) struct OwnSession {
    /// What the server calls it, if it has a name for it.
    pub(super) id: Option<String>,
    pub(super) version: String,
    used: Mutex<Instant>,
}

/// Of a server, and for an agent; for none where the name is empty.
type Of = (String, String);

/// Those that are open.
#[derive(Debug)]
pub(super) struct OwnSessions(Mutex<LruCache<Of, Arc<OwnSession>>>);

impl Default for OwnSessions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl OwnSessions {
    fn with<T>(&self, act: impl FnOnce(&mut LruCache<Of, Arc<OwnSession>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The session with this server for this agent; opened where there is none.
    ///
    /// # Errors
    ///
    /// Refuses where the server opens none.
    pub(super) async fn of(
        &self,
        proxy: &Arc<Proxy>,
        server: &Arc<McpServerEntry>,
        agent_id: &str,
    ) -> Result<Arc<OwnSession>, Refusal> {
        let of = (server.row.id.clone(), agent_id.to_owned());
        if let Some(session) = self.with(|all| all.get(&of).cloned()) {
            *session.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            return Ok(session);
        }
        let opened = Arc::new(open(proxy, server, agent_id.is_empty()).await?);
        let kept = self.with(|all| {
            // Whoever came first: the other one is not needed.
            match all.get(&of).cloned() {
                Some(first) => Err(first),
                None => Ok(all.push(of.clone(), Arc::clone(&opened))),
            }
        });
        match kept {
            Ok(pushed_out) => {
                end_when_idle(proxy, server, of, &opened);
                if let Some(((server_id, _), session)) = pushed_out
                    && let Some(server) = proxy.engine.registry.mcp_servers.get(&server_id)
                {
                    end(proxy, &server, &session);
                }
                Ok(opened)
            }
            Err(first) => {
                end(proxy, server, &opened);
                Ok(first)
            }
        }
    }

    /// Sends in the session for this agent what `outward` makes of it, and once more in a new one where the server has
    /// ended it meanwhile: then nothing was done.
    ///
    /// # Errors
    ///
    /// Refuses where the server opens none, or does not answer.
    pub(super) async fn send(
        &self,
        proxy: &Arc<Proxy>,
        server: &Arc<McpServerEntry>,
        agent_id: &str,
        outward: impl Fn(&OwnSession) -> Result<Outward, Refusal>,
    ) -> Result<Incoming, Refusal> {
        let session = self.of(proxy, server, agent_id).await?;
        let incoming = send::send(proxy, server, outward(&session)?).await?;
        if session.id.is_none() || incoming.status != StatusCode::NOT_FOUND {
            return Ok(incoming);
        }
        self.forget(&server.row.id, agent_id, &session);
        let session = self.of(proxy, server, agent_id).await?;
        send::send(proxy, server, outward(&session)?).await
    }

    /// Forgets a session that the server does not know any more.
    fn forget(&self, server_id: &str, agent_id: &str, session: &Arc<OwnSession>) {
        let of = (server_id.to_owned(), agent_id.to_owned());
        self.with(|all| {
            if all.peek(&of).is_some_and(|kept| Arc::ptr_eq(kept, session)) {
                all.pop(&of);
            }
        });
    }

    /// Asks something in the proxy's own session; returns the result.
    pub(super) async fn ask(
        &self,
        proxy: &Arc<Proxy>,
        server: &Arc<McpServerEntry>,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Value, Refusal> {
        let request = request(method, params);
        let text = Bytes::from(request.to_string());
        let outward = |session: &OwnSession| {
            Ok(Outward::legacy(&session.version, session.id.clone()).body(text.clone()))
        };
        let incoming = self.send(proxy, server, "", outward).await?;
        let (answer, _) = send::heard(proxy, server, request.get("id"), incoming).await?;
        result_of(answer)
    }
}

/// Opens a session in the name of the proxy; to look at `all` tools, as a client that can do everything.
async fn open(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    all: bool,
) -> Result<OwnSession, Refusal> {
    let capabilities = if all { everything() } else { json!({}) };
    let newest = LEGACY.first().copied().unwrap_or_default();
    let params = json!({
        "protocolVersion": newest, "capabilities": capabilities, "clientInfo": client_info(),
    });
    let Value::Object(params) = params else { return Err(super::upstream::unreadable()) };
    let outward = Outward::initialize();
    let (answer, id) =
        send::ask_and_session(proxy, server, request("initialize", params), outward).await?;
    let result = result_of(answer)?;
    let said = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    let Some(version) = known(&LEGACY, said) else {
        return Err(Refusal::upstream(
            "the MCP server speaks no version of MCP that is known here",
        ));
    };
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let outward = Outward::legacy(version, id.clone());
    send::tell(proxy, server, told, outward).await?;
    Ok(OwnSession { id, version: version.to_owned(), used: Mutex::new(Instant::now()) })
}

/// Ends a session that nobody uses for a while.
fn end_when_idle(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    of: Of,
    session: &Arc<OwnSession>,
) {
    let (proxy, session): (Weak<Proxy>, Weak<OwnSession>) =
        (Arc::downgrade(proxy), Arc::downgrade(session));
    let server = Arc::clone(server);
    background::spawn(async move {
        loop {
            let Some(used) = session
                .upgrade()
                .map(|session| *session.used.lock().unwrap_or_else(PoisonError::into_inner))
            else {
                return;
            };
            match IDLE.checked_sub(used.elapsed()) {
                Some(left) => background::sleep(left).await,
                None => break,
            }
        }
        if let (Some(proxy), Some(session)) = (proxy.upgrade(), session.upgrade()) {
            proxy.sessions.forget(&of.0, &of.1, &session);
            end(&proxy, &server, &session);
        }
    });
}

/// Tells the server that a session is over; whether it hears that is its own affair.
fn end(proxy: &Arc<Proxy>, server: &Arc<McpServerEntry>, session: &Arc<OwnSession>) {
    if session.id.is_none() {
        return;
    }
    let (proxy, server, session) = (Arc::clone(proxy), Arc::clone(server), Arc::clone(session));
    background::spawn(async move {
        let outward = Outward::legacy(&session.version, session.id.clone());
        let outward = Outward { method: Method::DELETE, ..outward };
        if let Err(refusal) = send::send(&proxy, &server, outward).await {
            tracing::debug!(why = refusal.message(), "a session could not be ended");
        }
    });
}
