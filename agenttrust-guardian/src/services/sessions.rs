//! Sessions: begun with a server or from a token, and read.

use std::sync::Arc;

use agenttrust::model::{CapabilitySet, Session, SessionMode, SessionSource, TokenKind};
use serde_json::{Value, json};

use super::agents::{
    active, known, open_with_ceiling, record, restricted_without_ceiling, unknown_mode,
};
use crate::domain::ids::SESSION_PREFIX;
use crate::domain::{Error, Fingerprint, Key, Reach, Role, ids};
use crate::engine::Engine;
use crate::registry::{AgentEntry, SessionEntry, TokenEntry, show, stricter, strictness};
use crate::store::{Counts, SessionRow};

/// A session with a server that is to begin.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub(crate) agent_id: String,
    pub(crate) server_id: String,
    pub(crate) mode: Option<SessionMode>,
    pub(crate) ceiling: Option<Vec<String>>,
}

/// Begins a session with a server; what is asked for only tightens the floor of the agent.
///
/// # Errors
///
/// Not found or forbidden for an agent that is not there or not active, invalid or forbidden for a mode and a
/// ceiling that do not tighten its floor, too many where it has as many sessions as it may have.
pub(crate) async fn begin(engine: &Engine, key: &Key, new: NewSession) -> Result<Session, Error> {
    let agent = known(engine, &key.org_id, &new.agent_id)?;
    active(&agent)?;
    let (mode, ceiling) = tightened(&agent, new.mode, new.ceiling)?;
    let now = engine.clock.now();
    let expires_at = now.saturating_add(engine.settings.session_ttl);
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: key.org_id.clone(),
        agent_id: new.agent_id,
        source: SessionSource::Mcp,
        server_id: new.server_id,
        mode,
        ceiling: ceiling.map(Into::into),
        token_id: None,
        created_at: now,
        expires_at,
        ended: false,
        opened_by: Some(key.id.clone()),
        gateway: key.gateway.clone(),
        agent_version: agent.versions.now,
        delegation_id: None,
        federated: None,
        workload: None,
    };
    start_session(engine, key, row).await
}

/// Returns the token of an agent with this text, wherever it stands.
///
/// # Errors
///
/// Unauthenticated for one that is not known, as a federation token is not.
pub(crate) fn token(engine: &Engine, key: &Key, token: &str) -> Result<Arc<TokenEntry>, Error> {
    let hash = Fingerprint::from_text(token);
    let found = engine.registry.tokens.get(&key.org_id, TokenKind::Agent, &hash);
    found.ok_or_else(no_such_token)
}

/// Begins a session from a token, or finds the one that this key has begun from it already. `target` is where
/// the token is used, if the caller says so.
///
/// # Errors
///
/// Unauthenticated for a token that does not work or is for others, forbidden for an agent that is not active, too
/// many where it has as many sessions as it may have.
pub(crate) async fn begin_from_token(
    engine: &Engine,
    key: &Key,
    token: &TokenEntry,
    target: Option<&str>,
    mode: Option<SessionMode>,
) -> Result<Session, Error> {
    let now = engine.clock.now();
    if token.row.expires_at <= now {
        return Err(Error::token_expired());
    }
    let agent = known(engine, &key.org_id, &token.row.agent_id)?;
    active(&agent)?;
    if !engine.registry.works(token, now) {
        return Err(no_such_token());
    }
    if !token.is_for_key(key, target) {
        return Err(Error::unauthenticated(
            "the token is for another audience; have one issued for this server, or send the target that \
             it is for in AgentTrust-Target",
        ));
    }
    let mut mode = stricter(mode.unwrap_or(SessionMode::Restricted), SessionMode::Restricted);
    mode = stricter(mode, agent.floor.mode());
    let mut expires_at = token.row.expires_at;
    let outer = engine.registry.session_of(token);
    // Who was issued a token under a delegation acts under it with that token too.
    let delegation_id = outer.as_ref().and_then(|outer| outer.row.delegation_id.clone());
    if let Some(outer) = outer {
        mode = stricter(mode, outer.limits.mode());
        expires_at = expires_at.min(outer.row.expires_at);
    }
    let same = |row: &SessionRow| row.mode == mode && row.expires_at == expires_at;
    if let Some(session) = engine.registry.open_from((&token.row.id, &key.id), now, same) {
        return shown(engine, &session).await;
    }
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: key.org_id.clone(),
        agent_id: token.row.agent_id.clone(),
        source: match token.row.kind {
            TokenKind::Federation => SessionSource::Federation,
            _ => SessionSource::Api,
        },
        server_id: String::new(),
        mode,
        ceiling: Some(Arc::clone(&token.row.scopes)),
        token_id: Some(token.row.id.clone()),
        created_at: now,
        expires_at,
        ended: false,
        opened_by: Some(key.id.clone()),
        gateway: key.gateway.clone(),
        agent_version: token.row.agent_version,
        delegation_id,
        federated: None,
        workload: None,
    };
    start_session(engine, key, row).await
}

/// Begins a session in which an agent acts under a delegation, or finds the one that this key has begun already.
///
/// # Errors
///
/// Not found for a delegation that does not work any more or is not for an agent within reach; forbidden for an agent
/// that is not active, too many where it has as many sessions as it may have.
pub(crate) async fn begin_delegated(
    engine: &Engine,
    reach: Reach<'_>,
    delegation_id: &str,
) -> Result<Session, Error> {
    let (key, now) = (reach.key, engine.clock.now());
    let chain = engine.registry.chain(&key.org_id, delegation_id, now);
    let chain = chain.map_err(|broken| broken.error(delegation_id))?;
    let row = &chain.last.row;
    if !reach.covers(&row.to_agent_id) {
        return Err(match reach.covers(&row.from_agent_id) {
            true => Error::not_bound(&row.to_agent_id),
            false => Error::unknown("delegation", delegation_id),
        });
    }
    let agent = known(engine, &key.org_id, &row.to_agent_id)?;
    active(&agent)?;
    let mode = stricter(chain.mode(), agent.floor.mode());
    let same = |row: &SessionRow| row.mode == mode;
    if let Some(session) = engine.registry.open_from((&row.id, &key.id), now, same) {
        return shown(engine, &session).await;
    }
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: key.org_id.clone(),
        agent_id: row.to_agent_id.clone(),
        source: SessionSource::Delegation,
        server_id: String::new(),
        mode,
        ceiling: Some(Arc::clone(&row.scope)),
        token_id: None,
        created_at: now,
        expires_at: row.expires_at,
        ended: false,
        opened_by: Some(key.id.clone()),
        gateway: key.gateway.clone(),
        agent_version: agent.versions.now,
        delegation_id: Some(row.id.clone()),
        federated: None,
        workload: None,
    };
    start_session(engine, key, row).await
}

/// Reads a session; of an ad-hoc one `agent_id` says whose. Only those within reach are there: to a gateway,
/// those that were opened at it.
///
/// # Errors
///
/// Not found, and conflict where more than one agent uses the id.
pub(crate) async fn get(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    agent_id: Option<&str>,
) -> Result<Session, Error> {
    let key = reach.key;
    let unknown = || Error::unknown("session", id);
    if id.starts_with(SESSION_PREFIX) {
        let session = open_session(engine, &key.org_id, id).ok_or_else(unknown)?;
        let row = &session.row;
        let at_gateway = key.role == Role::Gateway
            && reach.names(&row.agent_id)
            && key.has_opened(row.opened_by.as_deref(), row.gateway.as_deref());
        // Not "another agent's": an id tells nothing about whose it is.
        if !at_gateway && !reach.covers(&row.agent_id) {
            return Err(unknown());
        }
        return shown(engine, &session).await;
    }
    let agents = engine.registry.agents.list(&key.org_id);
    let mut found = agents
        .into_iter()
        .filter(|entry| reach.covers(&entry.agent.id))
        .filter(|entry| agent_id.is_none_or(|agent_id| agent_id == entry.agent.id))
        .filter_map(|entry| {
            let session = engine.registry.adhoc.get(&entry.agent.id, id)?;
            Some((entry, session))
        });
    let (entry, session) = found.next().ok_or_else(unknown)?;
    if found.next().is_some() {
        return Err(Error::conflict(format!(
            "more than one agent uses session {id:?}; say whose with ?agent_id="
        )));
    }
    let mut shown = Session::default();
    shown.session_id = id.to_owned();
    shown.agent_id.clone_from(&entry.agent.id);
    shown.org_id.clone_from(&entry.agent.org_id);
    shown.source = SessionSource::Api;
    shown.mode = entry.floor.mode();
    shown.scope_ceiling = entry.floor.ceiling().to_vec();
    shown.created_at = Some(session.created_at);
    show(&session.counts(), &mut shown);
    Ok(shown)
}

/// Returns the session with all that was counted in it up to now.
pub(super) async fn shown(engine: &Engine, session: &SessionEntry) -> Result<Session, Error> {
    // Decisions that were answered may be on their way to the disk.
    engine.audit.flush().await;
    let row = &session.row;
    let counts = engine.reading_store.session_counts(row.id.clone(), row.created_at).await?;
    Ok(session.show(&counts))
}

/// Returns the session of this id, if it is open now.
pub(crate) fn open_session(engine: &Engine, org_id: &str, id: &str) -> Option<Arc<SessionEntry>> {
    let now = engine.clock.now();
    engine.registry.sessions.get(org_id, id).filter(|session| engine.registry.is_open(session, now))
}

/// Returns the mode and ceiling of a new session: what was asked for, if that only tightens the floor.
fn tightened(
    agent: &AgentEntry,
    mode: Option<SessionMode>,
    ceiling: Option<Vec<String>>,
) -> Result<(SessionMode, Option<Vec<String>>), Error> {
    let floor = &agent.floor;
    let id = &agent.agent.id;
    let mode = match (mode, &ceiling) {
        (Some(SessionMode::Unknown), _) => return Err(unknown_mode()),
        (Some(SessionMode::Open), _) if strictness(floor.mode()) > 0 => {
            return Err(Error::forbidden(format!(
                "mode open is looser than the floor of agent {id:?}, which is {}",
                floor.mode()
            )));
        }
        (Some(SessionMode::Open), Some(_)) => return Err(open_with_ceiling()),
        (Some(SessionMode::Restricted), None) if !floor.has_ceiling() => {
            return Err(restricted_without_ceiling());
        }
        (Some(mode), _) => stricter(mode, floor.mode()),
        (None, Some(_)) => stricter(SessionMode::Restricted, floor.mode()),
        (None, None) => floor.mode(),
    };
    let Some(names) = ceiling else {
        let inherited = floor.has_ceiling().then(|| floor.ceiling().to_vec());
        return Ok((mode, inherited));
    };
    let wanted =
        CapabilitySet::parse(&names).map_err(|error| Error::capability("scope_ceiling", &error))?;
    if let Some(scope) = agent.capabilities.first_uncovered(&wanted) {
        return Err(Error::forbidden(format!(
            "scope_ceiling names {scope:?}, which no capability of agent {id:?} covers"
        )));
    }
    if let Some(scope) = floor.first_uncovered(&wanted) {
        return Err(Error::forbidden(format!(
            "scope_ceiling names {scope:?}, which is outside the floor of agent {id:?}"
        )));
    }
    Ok((mode, Some(names)))
}

pub(super) async fn start_session(
    engine: &Engine,
    key: &Key,
    row: SessionRow,
) -> Result<Session, Error> {
    if engine.registry.sessions.is_full(&row.agent_id, row.created_at) {
        return Err(Error::too_many(format!(
            "agent {:?} has as many open sessions as it may have; let some expire",
            row.agent_id
        )));
    }
    engine.ensure_auditable()?;
    // Not `change`: between memory and the record it is looked whether the session is open still.
    if !engine.store.insert_session(row.clone()).await? {
        engine.sync().await?;
        return Err(over(engine, key, &row));
    }
    engine.sync().await?;
    // Meanwhile somebody may have revoked the agent or the token, and the session with it.
    let entry = engine.registry.sessions.get(&key.org_id, &row.id);
    let open = |entry: &Arc<SessionEntry>| engine.registry.is_open(entry, row.created_at);
    let Some(entry) = entry.filter(open) else {
        return Err(over(engine, key, &row));
    };
    engine.record_audit(record(key, "session.opened", &row.agent_id, about(&row))).await?;
    Ok(entry.show(&Counts::none(row.created_at)))
}

/// Returns why a session cannot begin whose agent or token was good a moment ago.
fn over(engine: &Engine, key: &Key, row: &SessionRow) -> Error {
    let stands = || known(engine, &key.org_id, &row.agent_id).and_then(|agent| active(&agent));
    match engine.need_key(key).and_then(|()| stands()) {
        Err(error) => error,
        Ok(()) if row.token_id.is_some() => no_such_token(),
        Ok(()) if row.delegation_id.is_some() => Error::not_found(
            "the delegation was revoked or expired meanwhile; have another one made",
        ),
        Ok(()) if row.federated.is_some() => Error::unauthenticated(
            "the federation provider of this token was changed or removed meanwhile; try again",
        ),
        Ok(()) => Error::conflict(format!(
            "agent {:?} was suspended or revoked meanwhile; see how it stands and try again",
            row.agent_id
        )),
    }
}

fn no_such_token() -> Error {
    Error::unauthenticated("the token does not work; have one issued")
}

fn about(row: &SessionRow) -> Value {
    json!({
        "session_id": row.id,
        "source": row.source,
        "server_id": row.server_id,
        "mode": row.mode,
        "scope_ceiling": row.ceiling.as_deref(),
        "token_id": row.token_id,
        "delegation_id": row.delegation_id,
        "provider_id": row.federated.as_ref().map(|federated| &federated.provider_id),
        "key_thumbprint": row.workload.as_ref().map(|workload| &workload.thumbprint),
    })
}
