//! Sessions that the proxy opens itself, in the era that has sessions: one for each agent whose client knows nothing of
//! MCP, and one of its own for looking at a server's tools. As many as there may be, and ended when idle.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// The largest number of open sessions; of those that are not in use the one that was used longest ago ends first.
const MOST: usize = 1_024;
/// The number of them that one organisation may have ...
const OF_ORGANISATION: usize = MOST / 2;
/// ... and how many in any case, however many others use.
const OF_ORGANISATION_FLOOR: usize = MOST / 16;
/// The time without a call after which one is ended.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// A session of the proxy's own.
#[derive(Debug)]
pub(super) struct OwnSession {
    /// The name that the server gave the session, if it did.
    pub(super) id: Option<String>,
    pub(super) version: String,
    org_id: String,
    used: Mutex<Instant>,
    /// The number of requests that use it at present.
    uses: AtomicUsize,
}

impl OwnSession {
    fn is_in_use(&self) -> bool {
        self.uses.load(Ordering::SeqCst) > 0
    }

    /// Returns how long it is not ended yet; `None` once it is idle for long enough.
    fn left(&self) -> Option<Duration> {
        if self.is_in_use() {
            return Some(IDLE);
        }
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        IDLE.checked_sub(used.elapsed()).filter(|left| !left.is_zero())
    }
}

/// A session of the proxy's own in which something goes on: it is not ended meanwhile, and makes no room for others.
#[derive(Debug)]
pub(super) struct InUse(Arc<OwnSession>);

impl InUse {
    fn begin(session: &Arc<OwnSession>) -> Self {
        session.uses.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(session))
    }
}

impl Deref for InUse {
    type Target = OwnSession;

    fn deref(&self) -> &OwnSession {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.uses.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The server and the agent that a session is for; the agent is empty for a session for no agent.
type Of = (String, String);

/// A session that was ended to make room for another one.
type Gone = (Of, Arc<OwnSession>);

/// The sessions that are open.
#[derive(Debug)]
pub(super) struct OwnSessions(Mutex<LruCache<Of, Arc<OwnSession>>>);

impl Default for OwnSessions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

/// Returns which one goes for another one of this organisation, where one has to.
///
/// # Errors
///
/// Too many where all that could go are in use.
fn goes_for(all: &LruCache<Of, Arc<OwnSession>>, org_id: &str) -> Result<Option<Of>, Refusal> {
    let in_use = all.iter().filter(|(_, session)| session.is_in_use()).count();
    // So that no organisation takes the last place of another.
    let most = MOST.saturating_sub(in_use).saturating_mul(2);
    let most = most.clamp(OF_ORGANISATION_FLOOR, OF_ORGANISATION);
    let of_it = |session: &OwnSession| session.org_id == org_id;
    let is_full = all.iter().filter(|(_, session)| of_it(session)).count() >= most;
    if !is_full && all.len() < MOST {
        return Ok(None);
    }
    let mut oldest_first = all.iter().rev();
    let idle = oldest_first.find(|(_, it)| !it.is_in_use() && (!is_full || of_it(it)));
    idle.map(|(of, _)| Some(of.clone())).ok_or_else(|| {
        Refusal::upstream(
            "as many calls in sessions of the Guardian's own are under way as may be; try again once one has ended, or \
             open a session with initialize",
        )
        .status(StatusCode::TOO_MANY_REQUESTS)
    })
}

impl OwnSessions {
    fn with<T>(&self, act: impl FnOnce(&mut LruCache<Of, Arc<OwnSession>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the session with this server for this agent; opens one where no call has opened it yet.
    ///
    /// # Errors
    ///
    /// Refuses where the server opens no session.
    pub(super) async fn of(
        &self,
        proxy: &Arc<Proxy>,
        server: &Arc<McpServerEntry>,
        agent_id: &str,
    ) -> Result<InUse, Refusal> {
        let of = (server.row.id.clone(), agent_id.to_owned());
        if let Some(session) = self.with(|all| all.get(&of).map(InUse::begin)) {
            return Ok(session);
        }
        // None is opened for which there is no place.
        self.with(|all| goes_for(all, &server.row.org_id))?;
        let opened = open(proxy, server, agent_id.is_empty()).await.inspect_err(|_| {
            // It may be of the other era by now.
            proxy.upstream(&server.row.id).forget_spoken();
        });
        let opened = Arc::new(opened?);
        let kept = self.keep(&of, &opened);
        if kept.as_ref().is_ok_and(|(kept, _)| Arc::ptr_eq(&kept.0, &opened)) {
            end_when_idle(proxy, server, of, &opened);
        } else {
            end(proxy, server, &opened);
        }
        let (kept, gone) = kept?;
        if let Some(((server_id, _), session)) = gone
            && let Some(server) = proxy.engine.registry.mcp_servers.get(&server_id)
        {
            end(proxy, &server, &session);
        }
        Ok(kept)
    }

    /// Keeps one that was opened, and says which one went for it. Where another one came first that one is used.
    fn keep(&self, of: &Of, opened: &Arc<OwnSession>) -> Result<(InUse, Option<Gone>), Refusal> {
        self.with(|all| {
            if let Some(first) = all.get(of) {
                return Ok((InUse::begin(first), None));
            }
            let gone = goes_for(all, &opened.org_id)?.and_then(|of| all.pop_entry(&of));
            all.push(of.clone(), Arc::clone(opened));
            Ok((InUse::begin(opened), gone))
        })
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
    ) -> Result<(Incoming, InUse), Refusal> {
        let session = self.of(proxy, server, agent_id).await?;
        let mut incoming = send::send(proxy, server, outward(&session)?).await?;
        if incoming.status == StatusCode::BAD_REQUEST {
            // One that speaks the other era by now says it in many ways; it is asked anew.
            proxy.upstream(&server.row.id).forget_spoken();
        }
        if session.id.is_none() || !send::says_no_session(proxy, &mut incoming).await {
            return Ok((incoming, session));
        }
        self.forget(&server.row.id, agent_id, &session.0);
        let session = self.of(proxy, server, agent_id).await?;
        let incoming = send::send(proxy, server, outward(&session)?).await?;
        Ok((incoming, session))
    }

    /// Forgets all sessions with a server.
    pub(super) fn forget_all(&self, server_id: &str) {
        self.with(|all| {
            let of_it = all.iter().filter(|((of, _), _)| of == server_id);
            let of_it: Vec<Of> = of_it.map(|(of, _)| of.clone()).collect();
            for of in of_it {
                all.pop(&of);
            }
        });
    }

    /// Forgets a session that is idle for long enough; whether it was one of these.
    fn forget_idle(&self, of: &Of, session: &Arc<OwnSession>) -> bool {
        self.with(|all| {
            let is_kept = all.peek(of).is_some_and(|kept| Arc::ptr_eq(kept, session));
            is_kept && session.left().is_none() && all.pop(of).is_some()
        })
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
        let (incoming, session) = self.send(proxy, server, "", outward).await?;
        let heard = send::heard(proxy, server, request.get("id"), incoming).await;
        let result = heard.and_then(|(answer, _)| result_of(answer));
        if result.is_err() {
            // It may be the session that it does not like; the next question is asked in another one.
            self.forget(&server.row.id, "", &session.0);
            end(proxy, server, &session.0);
        }
        result
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
    let (version, org_id) = (version.to_owned(), server.row.org_id.clone());
    let (used, uses) = (Mutex::new(Instant::now()), AtomicUsize::new(0));
    Ok(OwnSession { id, version, org_id, used, uses })
}

/// Ends a session that no call uses for a while.
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
            let Some(left) = session.upgrade().map(|session| session.left()) else { return };
            if let Some(left) = left {
                background::sleep(left).await;
                continue;
            }
            let (Some(proxy), Some(session)) = (proxy.upgrade(), session.upgrade()) else { return };
            if proxy.sessions.forget_idle(&of, &session) {
                return end(&proxy, &server, &session);
            }
            // Begun with at this moment, or forgotten before.
            if session.left().is_none() {
                return;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn session(org_id: &str) -> Arc<OwnSession> {
        let (id, version) = (Some("up".to_owned()), "2025-11-25".to_owned());
        let long_ago = Instant::now().checked_sub(IDLE).unwrap();
        let (used, uses) = (Mutex::new(long_ago), AtomicUsize::new(0));
        Arc::new(OwnSession { id, version, org_id: org_id.to_owned(), used, uses })
    }

    fn of(org_id: &str, n: usize) -> Of {
        (format!("{org_id} {n}"), String::new())
    }

    /// Opens one after the other and uses them all, until there is no more.
    fn fill(all: &OwnSessions, org_id: &str) -> Vec<InUse> {
        let open = |n| all.keep(&of(org_id, n), &session(org_id)).ok();
        (0..=MOST)
            .map_while(open)
            .map(|(used, gone)| {
                assert!(gone.is_none());
                used
            })
            .collect()
    }

    #[test]
    fn session_in_use_is_not_idle_and_is_idle_after_its_last_use() {
        let (all, opened) = (OwnSessions::default(), session("one"));
        assert_eq!(opened.left(), None);
        let (used, _) = all.keep(&of("one", 0), &opened).unwrap();
        assert_eq!(opened.left(), Some(IDLE));
        assert!(!all.forget_idle(&of("one", 0), &opened));
        drop(used);
        // From its end on, and not from its beginning.
        assert!(opened.left().is_some() && !all.forget_idle(&of("one", 0), &opened));
        *opened.used.lock().unwrap() = Instant::now().checked_sub(IDLE).unwrap();
        assert!(all.forget_idle(&of("one", 0), &opened));
    }

    #[test]
    fn sessions_in_use_are_pushed_out_by_none_and_each_organisation_has_a_share() {
        let all = OwnSessions::default();
        let one = fill(&all, "one");
        assert_eq!(one.len(), OF_ORGANISATION);
        let two = fill(&all, "two");
        let three = fill(&all, "three");
        assert!(two.len() < OF_ORGANISATION && three.len() >= OF_ORGANISATION_FLOOR);
        for n in 0..one.len() {
            assert!(all.with(|all| all.contains(&of("one", n))), "{n}");
        }
    }

    #[test]
    fn idle_session_goes_for_another_one_of_its_organisation() {
        let all = OwnSessions::default();
        drop(fill(&all, "one"));
        let (_in_use, gone) = all.keep(&of("other", 0), &session("other")).unwrap();
        assert!(gone.is_none());
        let (_, gone) = all.keep(&of("one", MOST), &session("one")).unwrap();
        assert_eq!(gone.map(|(of, _)| of), Some(of("one", 0)));
    }
}
