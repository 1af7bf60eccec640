//! Opaque agent tokens: issued, looked into, revoked.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{AgentStatus, CapabilitySet, TokenKind};
use serde_json::json;

use super::agents::{active, known, record};
use super::sessions::open_session;
use crate::domain::ids::SESSION_PREFIX;
use crate::domain::names::check_name;
use crate::domain::{Error, Fingerprint, Key, Reach, Secret, ids};
use crate::engine::Engine;
use crate::registry::{AgentEntry, Chain, SessionEntry, TokenEntry};
use crate::store::TokenRow;

/// A token that is to be issued.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub(crate) agent_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Vec<String>,
    /// The time that the token lives, in seconds.
    pub(crate) ttl: u64,
    pub(crate) session_id: Option<String>,
    pub(crate) kind: TokenKind,
}

/// A token that was issued: its secret, its row and when.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) secret: Secret,
    pub(crate) row: TokenRow,
    pub(crate) at: Timestamp,
}

/// Issues a token.
///
/// # Errors
///
/// Not found or forbidden for an agent that is not there or not active, forbidden for scopes that it does not
/// have, too many where it has as many tokens as it may have, conflict where it was taken back meanwhile.
pub(crate) async fn issue(engine: &Engine, key: &Key, new: NewToken) -> Result<Issued, Error> {
    let agent = known(engine, &key.org_id, &new.agent_id)?;
    active(&agent)?;
    let scopes =
        CapabilitySet::parse(&new.scopes).map_err(|error| Error::capability("scopes", &error))?;
    let now = engine.clock.now();
    let mut under = None;
    let mut expires_at = now.saturating_add(Duration::from_secs(new.ttl));
    let mut agent_version = agent.versions.now;
    let session_id = new.session_id.filter(|id| !id.is_empty());
    if let Some(id) = &session_id {
        check_name("session_id", id)?;
        if let Some(session) = within_session(engine, key, id, &new.agent_id, &scopes)? {
            expires_at = expires_at.min(session.row.expires_at);
            agent_version = agent_version.min(session.row.agent_version);
            under.clone_from(&session.row.delegation_id);
        }
    }
    match &under {
        Some(delegation_id) => need_delegated(engine, key, delegation_id, &new.scopes)?,
        None => need_own(&agent, &scopes)?,
    }
    need_floor(&agent, &scopes)?;
    need_room(engine, &new.agent_id, now)?;
    engine.ensure_auditable()?;
    // Not `change`: between memory and the record it is looked whether the agent still stands.
    let secret = Secret::random(prefix(new.kind))?;
    let row = TokenRow {
        id: ids::new("tok_"),
        hash: secret.fingerprint(),
        org_id: key.org_id.clone(),
        agent_id: new.agent_id,
        scopes: new.scopes.into(),
        audience: new.audience.into(),
        session_id,
        expires_at,
        revoked: false,
        issued_by: Some(key.id.clone()),
        agent_version,
        kind: new.kind,
    };
    if !engine.store.insert_token(row.clone(), now).await? {
        engine.sync().await?;
        engine.need_key(key)?;
        active(&*known(engine, &key.org_id, &row.agent_id)?)?;
        return Err(Error::conflict(format!(
            "agent {:?} was suspended or revoked meanwhile; see how it stands and try again",
            row.agent_id
        )));
    }
    engine.sync().await?;
    still_there(engine, key, &row)?;
    let about = json!({ "token_id": row.id, "scopes": *row.scopes, "audience": *row.audience, "ttl": new.ttl,
                        "session_id": row.session_id, "kind": row.kind });
    engine.record_audit(record(key, "token.issued", &row.agent_id, about)).await?;
    Ok(Issued { secret, row, at: now })
}

/// Refuses another token for an agent that has as many as it may have.
fn need_room(engine: &Engine, agent_id: &str, now: Timestamp) -> Result<(), Error> {
    if !engine.registry.tokens.is_full(agent_id, now) {
        return Ok(());
    }
    Err(Error::too_many(format!(
        "agent {agent_id:?} has as many live tokens as it may have; revoke some or let them expire"
    )))
}

/// Returns what the secret of a token of this kind begins with.
fn prefix(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Federation => "fed_",
        _ => "at_",
    }
}

/// Refuses a token that was taken back as it was issued.
fn still_there(engine: &Engine, key: &Key, row: &TokenRow) -> Result<(), Error> {
    // Somebody may have revoked the agent, and the token with it.
    if known(engine, &key.org_id, &row.agent_id)?.agent.status == AgentStatus::Revoked {
        return Err(Error::agent_revoked(&row.agent_id));
    }
    // Or the key, with what was issued with it.
    if engine.registry.tokens.by_id(&row.id).is_none() {
        engine.need_key(key)?;
        return Err(Error::conflict(format!(
            "the token of agent {:?} was revoked as it was issued; have another one issued",
            row.agent_id
        )));
    }
    Ok(())
}

/// Refuses scopes for a token that its agent does not have.
fn need_own(agent: &AgentEntry, scopes: &CapabilitySet) -> Result<(), Error> {
    match agent.capabilities.first_uncovered(scopes) {
        Some(scope) => Err(Error::forbidden(format!(
            "scopes names {scope:?}, which no capability of agent {:?} covers",
            agent.agent.id
        ))),
        None => Ok(()),
    }
}

/// Refuses scopes for a token that are outside the floor of its agent.
fn need_floor(agent: &AgentEntry, scopes: &CapabilitySet) -> Result<(), Error> {
    match agent.floor.first_uncovered(scopes) {
        Some(scope) => Err(Error::forbidden(format!(
            "scopes names {scope:?}, which is outside the floor of agent {:?}",
            agent.agent.id
        ))),
        None => Ok(()),
    }
}

/// Refuses scopes for a token of a delegated session that the delegation does not give: what the agent has of its own
/// is no measure there.
fn need_delegated(
    engine: &Engine,
    key: &Key,
    delegation_id: &str,
    scopes: &[String],
) -> Result<(), Error> {
    let chain = engine.registry.chain(&key.org_id, delegation_id, engine.clock.now());
    let chain = chain.map_err(|broken| broken.error(delegation_id))?;
    for scope in scopes {
        let set = CapabilitySet::parse(std::slice::from_ref(scope))
            .map_err(|error| Error::capability("scopes", &error))?;
        if !chain.carries_all_of(&set) {
            return Err(Error::forbidden(format!(
                "scopes names {scope:?}, which delegation {delegation_id:?} does not give"
            )));
        }
    }
    Ok(())
}

/// A token that works, and the scopes that it carries now.
#[derive(Debug)]
pub(crate) struct IntrospectedToken {
    pub(crate) token: Arc<TokenEntry>,
    /// The scopes of the token that it carries in full now.
    pub(crate) scopes: Vec<String>,
}

/// Introspects a token for a target and with these scopes; else returns why it does not work. A token that the key does
/// not reach is one that does not work.
pub(crate) fn introspect(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
    target: Option<&str>,
    required: &[String],
) -> Result<IntrospectedToken, String> {
    let found = live(engine, reach.key, TokenKind::Agent, token)
        .filter(|found| reach.covers(&found.agent.agent.id))
        .ok_or_else(|| "the token does not work".to_owned())?;
    let taken = target.is_some() || found.token.is_for_key(reach.key, None);
    if !taken {
        return Err("the token is for a certain audience, and it was not said where it is to be used; name \
                    the target, or give the key of this gateway the name of one"
            .to_owned());
    }
    match found.refusal(target, required) {
        Some(why) => Err(why),
        None => Ok(IntrospectedToken { scopes: found.scopes(), token: found.token }),
    }
}

/// Introspects a federation token, wherever it is used; returns `None` where it does not work, or the key does not
/// reach it.
pub(crate) fn federated(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
) -> Option<IntrospectedToken> {
    let found = live(engine, reach.key, TokenKind::Federation, token)
        .filter(|found| reach.covers(&found.agent.agent.id))?;
    Some(IntrospectedToken { scopes: found.scopes(), token: found.token })
}

/// Revokes a token of this kind and the sessions made from it; returns whether that is stored.
///
/// # Errors
///
/// Not found for one that does not work, or that the key does not reach.
pub(crate) async fn revoke(
    engine: &Engine,
    reach: Reach<'_>,
    kind: TokenKind,
    token: &str,
    reason: &str,
) -> Result<bool, Error> {
    let key = reach.key;
    let hash = Fingerprint::from_text(token);
    let is = |token: &TokenEntry| {
        let row = &token.row;
        row.hash == hash && row.org_id == key.org_id && row.kind == kind
    };
    let known = engine.registry.tokens.get(&key.org_id, kind, &hash);
    let token = known
        .or_else(|| engine.taking_token(is))
        .filter(|token| reach.covers(&token.row.agent_id))
        .ok_or_else(|| Error::not_found("there is no such token that works"))?;
    let about = json!({ "token_id": token.row.id, "reason": reason });
    let record = record(key, "token.revoked", &token.row.agent_id, about);
    Ok(engine.take_token(token, record).await)
}

/// A token that works now, with all that narrows it.
struct Working {
    token: Arc<TokenEntry>,
    agent: Arc<AgentEntry>,
    session: Option<Arc<SessionEntry>>,
    /// The delegations that it was issued under.
    chain: Option<Chain>,
}

impl Working {
    /// Returns what of its agent's capabilities it may reach, where the agent has gained some since it was issued.
    fn limit(&self) -> Option<&CapabilitySet> {
        self.agent.versions.limit(self.token.row.agent_version)
    }

    /// Returns whether it carries this scope now: the agent may have lost it since it was issued, or its floor.
    fn covers(&self, scope: &str) -> bool {
        self.token.scopes.covers(scope)
            && match &self.chain {
                Some(chain) => chain.carries(scope),
                None => {
                    self.agent.capabilities.covers(scope)
                        && self.limit().is_none_or(|limit| limit.covers(scope))
                }
            }
            && self.agent.floor.covers(scope)
            && self.session.as_ref().is_none_or(|session| session.limits.covers(scope))
    }

    /// Returns those of its scopes that it carries in full now.
    fn scopes(&self) -> Vec<String> {
        let in_full = |scope: &&String| {
            CapabilitySet::parse(std::slice::from_ref(*scope)).is_ok_and(|scope| {
                let has = match &self.chain {
                    Some(chain) => chain.carries_all_of(&scope),
                    None => {
                        self.agent.capabilities.covers_all_of(&scope)
                            && self.limit().is_none_or(|limit| limit.covers_all_of(&scope))
                    }
                };
                has && self.agent.floor.first_uncovered(&scope).is_none()
                    && self
                        .session
                        .as_ref()
                        .is_none_or(|session| session.limits.first_uncovered(&scope).is_none())
            })
        };
        self.token.row.scopes.iter().filter(in_full).cloned().collect()
    }

    /// Returns why it does not do for this target and these scopes.
    fn refusal(&self, target: Option<&str>, required: &[String]) -> Option<String> {
        if let Some(target) = target
            && !self.token.is_for(target)
        {
            return Some(format!("the token is not for target {target:?}"));
        }
        let missing = required.iter().find(|scope| !self.covers(scope))?;
        Some(format!("the token does not carry scope {missing:?}"))
    }
}

/// Returns the token of this kind with this text, if it works now.
fn live(engine: &Engine, key: &Key, kind: TokenKind, token: &str) -> Option<Working> {
    let hash = Fingerprint::from_text(token);
    let token = engine.registry.tokens.get(&key.org_id, kind, &hash)?;
    let agent = engine.registry.agents.get(&key.org_id, &token.row.agent_id)?;
    let works = engine.registry.works(&token, engine.clock.now())
        && agent.agent.status == AgentStatus::Active;
    let session = engine.registry.session_of(&token);
    let delegation = session.as_ref().and_then(|session| session.row.delegation_id.as_deref());
    let now = engine.clock.now();
    // One that does not work ended the token too: what the agent has of its own never stands in for it.
    let chain = match delegation {
        Some(id) => Some(engine.registry.chain(&key.org_id, id, now).ok()?),
        None => None,
    };
    works.then_some(Working { token, agent, session, chain })
}

/// Returns the issued session that a token is asked for in, if there is one, and refuses scopes that reach further
/// than the session.
fn within_session(
    engine: &Engine,
    key: &Key,
    id: &str,
    agent_id: &str,
    scopes: &CapabilitySet,
) -> Result<Option<Arc<SessionEntry>>, Error> {
    if !id.starts_with(SESSION_PREFIX) {
        return Ok(None);
    }
    let session = open_session(engine, &key.org_id, id)
        .filter(|session| session.row.agent_id == agent_id)
        .ok_or_else(|| Error::invalid("session_id", "is no open session of this agent"))?;
    match session.limits.first_uncovered(scopes) {
        Some(scope) => Err(Error::forbidden(format!(
            "scopes names {scope:?}, which is outside the scope ceiling of session {id:?}"
        ))),
        None => Ok(Some(session)),
    }
}
