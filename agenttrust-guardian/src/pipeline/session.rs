//! In which session: issued by us, named by the caller, or none.

use std::sync::{Arc, OnceLock};

use agenttrust::model::{CapabilitySet, SessionMode, SessionSource};
use agenttrust::{Effect, Timestamp};
use serde_json::{Value, json};

use super::Check;
use crate::audit::FactsDigest;
use crate::domain::ids::{DELEGATION_PREFIX, SESSION_PREFIX};
use crate::domain::{Error, Role};
use crate::engine::Engine;
use crate::policy::DelegationFacts;
use crate::registry::{AdHocEntry, AgentEntry, Chain, Limits, SessionEntry, stricter};
use crate::store::{BoundWorkload, SessionRow};

/// The outcome for the session that a check names.
#[derive(Debug)]
pub(super) enum Entered {
    /// The check is in it.
    In(SessionContext),
    /// The session is no good, so the check is denied.
    Refused { session: SessionContext, reason: String },
}

/// A check's place: its session and the agent, whose floor applies to every session.
#[derive(Debug)]
pub(super) struct SessionContext {
    session: Session,
    agent: Arc<AgentEntry>,
    delegated: Option<Delegated>,
}

/// The delegations that the agent acts under, and what policies see of them.
#[derive(Debug)]
struct Delegated {
    chain: Chain,
    facts: DelegationFacts,
    /// The digest of the facts, computed once, when the audit first names them.
    digest: OnceLock<Option<FactsDigest>>,
}

#[derive(Debug)]
enum Session {
    None,
    AdHoc(Arc<AdHocEntry>),
    Issued(Arc<SessionEntry>),
}

impl SessionContext {
    /// Returns the stricter of the session's mode and the floor's.
    pub(super) fn mode(&self) -> SessionMode {
        let mode = match &self.session {
            Session::Issued(session) => stricter(session.limits.mode(), self.agent.floor.mode()),
            Session::None | Session::AdHoc(_) => self.agent.floor.mode(),
        };
        self.chain().map_or(mode, |chain| stricter(mode, chain.mode()))
    }

    /// Returns the delegations that the agent acts under.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.delegated.as_ref().map(|delegated| &delegated.chain)
    }

    /// Returns what the audit says of these delegations: see [`facts_of_delegation`].
    pub(super) fn delegation_digest(&self) -> Option<FactsDigest> {
        let Delegated { facts, digest, .. } = self.delegated.as_ref()?;
        let org_id = &self.agent.agent.org_id;
        *digest.get_or_init(|| FactsDigest::compute(org_id, &facts_of_delegation(facts)))
    }

    /// Returns what policies see of these delegations.
    pub(super) fn delegation(&self) -> Option<&DelegationFacts> {
        self.delegated.as_ref().map(|delegated| &delegated.facts)
    }

    /// Returns what the session was made from; `None` for one that the Guardian did not issue.
    pub(super) fn source(&self) -> Option<SessionSource> {
        match &self.session {
            Session::Issued(session) => Some(session.row.source),
            Session::None | Session::AdHoc(_) => None,
        }
    }

    /// Returns every limit that holds here; each must be kept.
    pub(super) fn limits(&self) -> impl Iterator<Item = &Limits> {
        let issued = match &self.session {
            Session::Issued(session) => Some(&session.limits),
            Session::None | Session::AdHoc(_) => None,
        };
        let of_givers = self.chain().into_iter().flat_map(Chain::floors);
        issued.into_iter().chain([&self.agent.floor]).chain(of_givers)
    }

    /// Returns what of the agent's capabilities may be used here, where the agent has gained some since the session
    /// began, or the token that it was made from was issued; of one that acts under a delegation, what of the
    /// capabilities of the agent that it begins with.
    pub(super) fn began_with(&self) -> Option<&CapabilitySet> {
        match &self.session {
            _ if self.delegated.is_some() => self.chain()?.began_with(),
            Session::Issued(session) => self.agent.versions.limit(session.row.agent_version),
            Session::None | Session::AdHoc(_) => None,
        }
    }

    /// Returns the nearest ceiling: the session's, else the floor's.
    pub(super) fn ceiling(&self) -> &[String] {
        self.limits().find(|limits| limits.has_ceiling()).map_or(&[], Limits::ceiling)
    }

    /// Returns whether any ceiling holds here.
    pub(super) fn has_ceiling(&self) -> bool {
        self.limits().any(Limits::has_ceiling)
    }

    /// Returns what the audit says of the nearest ceiling.
    pub(super) fn ceiling_facts(&self) -> Option<FactsDigest> {
        match &self.session {
            Session::Issued(session) if session.limits.has_ceiling() => session.ceiling_facts,
            _ => self.agent.floor_facts,
        }
    }

    /// Returns the session, if the Guardian issued it.
    pub(super) fn issued(&self) -> Option<&Arc<SessionEntry>> {
        match &self.session {
            Session::Issued(session) => Some(session),
            Session::None | Session::AdHoc(_) => None,
        }
    }

    /// Returns the id of the session, if the Guardian issued it.
    pub(super) fn issued_id(&self) -> Option<&str> {
        self.issued().map(|session| session.row.id.as_str())
    }

    /// Returns the workload token that it was opened from, which is bound to a key.
    pub(super) fn workload(&self) -> Option<&BoundWorkload> {
        match &self.session {
            Session::Issued(session) => session.row.workload.as_ref(),
            Session::None | Session::AdHoc(_) => None,
        }
    }

    /// Counts this check where no row of the audit does.
    pub(super) fn count(&self, effect: Effect, denied: bool, now: Timestamp) {
        if let Session::AdHoc(session) = &self.session {
            session.count(effect == Effect::Read, denied, now);
        }
    }
}

/// Returns what policies saw of a delegation, as the audit keeps it.
pub(super) fn facts_of_delegation(delegation: &DelegationFacts) -> Value {
    json!({ "delegation": delegation })
}

/// Finds the session that the check names.
pub(super) fn enter(
    engine: &Engine,
    check: &Check,
    agent: &Arc<AgentEntry>,
    now: Timestamp,
) -> Result<Entered, Error> {
    let context = |session| SessionContext { session, agent: Arc::clone(agent), delegated: None };
    let gateway = check.key.role == Role::Gateway;
    let Some(id) = check.session_id.as_deref() else {
        return if gateway {
            Err(outside_a_token())
        } else {
            Ok(Entered::In(context(Session::None)))
        };
    };
    let refused = |reason| Entered::Refused { session: context(Session::None), reason };
    if !id.starts_with(SESSION_PREFIX) {
        if gateway {
            return Err(outside_a_token());
        }
        // Taken for a name that the caller made up, it would leave the agent with what it has of its own.
        if id.starts_with(DELEGATION_PREFIX) {
            return Ok(refused(format!(
                "session_id names delegation {id:?}, which is no session; open one with `agenttrust delegations \
                 session`, and name that"
            )));
        }
        let session = engine.registry.adhoc.enter(&agent.agent.id, id, now);
        return Ok(Entered::In(context(Session::AdHoc(session))));
    }
    let Some(session) = engine.registry.sessions.get(&check.key.org_id, id) else {
        return Ok(refused(not_open(engine, agent, id, now)));
    };
    let row = &session.row;
    if row.agent_id != agent.agent.id {
        return Ok(refused(format!(
            "session {id:?} belongs to another agent; begin one for this agent"
        )));
    }
    if !session.is_live(now) {
        return Ok(refused(format!("session {id:?} has expired; begin a new one")));
    }
    let delegated = match acted_under(engine, row, now) {
        Ok(delegated) => delegated,
        Err(reason) => return Ok(refused(reason)),
    };
    if !engine.registry.is_open(&session, now) {
        return Ok(refused(format!(
            "session {id:?} is not open: the token that it was made from does not work any more; \
             have another one issued and begin a new session"
        )));
    }
    if gateway && !row.is_of_token() {
        return Err(outside_a_token());
    }
    if gateway && !check.key.has_opened(row.opened_by.as_deref(), row.gateway.as_deref()) {
        return Ok(refused(format!(
            "session {id:?} was not opened by this gateway; begin one with the agent's token, or give the \
             keys of one gateway one name"
        )));
    }
    let mut context = context(Session::Issued(Arc::clone(&session)));
    context.delegated = delegated;
    Ok(Entered::In(context))
}

/// Returns why there is no such session: one that ended with its delegation is told so, as long as memory has it.
fn not_open(engine: &Engine, agent: &AgentEntry, id: &str, now: Timestamp) -> String {
    let ended = engine.registry.sessions.ended(&agent.agent.org_id, id);
    let ended = ended.filter(|session| session.row.agent_id == agent.agent.id);
    match ended.and_then(|session| acted_under(engine, &session.row, now).err()) {
        Some(why) => format!("session {id:?} is not open any more: {why}"),
        None => format!(
            "session {id:?} is not open: it was never issued, or it has ended; begin a new one"
        ),
    }
}

/// Returns what the agent of this session acts under, if it acts under a delegation; else why it cannot.
fn acted_under(
    engine: &Engine,
    row: &SessionRow,
    now: Timestamp,
) -> Result<Option<Delegated>, String> {
    let Some(id) = &row.delegation_id else { return Ok(None) };
    let chain = engine.registry.chain(&row.org_id, id, now).map_err(|broken| broken.reason(id))?;
    let facts = chain.facts();
    Ok(Some(Delegated { chain, facts, digest: OnceLock::new() }))
}

fn outside_a_token() -> Error {
    Error::forbidden(
        "a gateway key may check only inside a live session made from the agent's token; \
         begin one with /api/v1/agenttrust/api-sessions/init",
    )
}
