//! Sessions of those that another issuer vouches for: how far they go says its provider, by its rules and by how far it
//! is trusted.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{Session, SessionMode, SessionSource};

use super::providers::gateway;
use super::verify::{NO_SUCH_TOKEN, Verified};
use crate::domain::federation::{rule_for, terms};
use crate::domain::ids::{self, SESSION_PREFIX};
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::jose::SKEW;
use crate::registry::{AgentEntry, ProviderEntry, SessionEntry, stricter};
use crate::services::agents::{active, known};
use crate::services::sessions::{shown, start_session};
use crate::store::{Federated, SessionRow};

/// The session that a token opens: whose, and how far it goes.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) provider: Arc<ProviderEntry>,
    /// The place of the rule that fits, from 0.
    pub(super) rule: usize,
    pub(super) agent: Arc<AgentEntry>,
    pub(super) mode: SessionMode,
    pub(super) ceiling: Option<Vec<String>>,
    pub(super) expires_at: Timestamp,
}

/// Begins a session with `server_id` from a token that holds, or finds the one that this key has begun with it already.
///
/// # Errors
///
/// Forbidden where no rule says which agent it is of, and for an agent that is not active; not found for an agent that
/// is not there; unauthenticated where the provider is gone; too many where the agent has as many sessions as it may
/// have.
pub(crate) async fn begin(
    engine: &Engine,
    key: &Arc<Key>,
    verified: &Verified,
    server_id: &str,
) -> Result<Session, Error> {
    // Of many first calls with one token one opens the session, and the others find it.
    let _alone = engine.openings.alone(&verified.token_hash).await;
    let now = engine.clock.now();
    let terms = planned(engine, verified, now)?;
    if let Some(session) = fitting(engine, key, (verified, server_id), &terms) {
        return shown(engine, &session).await;
    }
    let Terms { provider, agent, mode, ceiling, expires_at, .. } = terms;
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: key.org_id.clone(),
        agent_id: agent.agent.id.clone(),
        source: SessionSource::Federation,
        server_id: server_id.to_owned(),
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
        workload: None,
        federated: Some(Federated {
            provider_id: provider.row.id.clone(),
            provider_version: provider.row.version,
            issuer: provider.row.issuer.clone(),
            trust_level: provider.row.vouching.trust_level,
            token_hash: verified.token_hash.clone(),
        }),
    };
    start_session(engine, key, row).await
}

/// Returns the open session that this key has begun with this token and server, if it still is what the token opens.
pub(crate) fn opened(
    engine: &Engine,
    key: &Key,
    verified: &Verified,
    server_id: &str,
) -> Option<Arc<SessionEntry>> {
    let terms = planned(engine, verified, engine.clock.now()).ok()?;
    fitting(engine, key, (verified, server_id), &terms)
}

fn fitting(
    engine: &Engine,
    key: &Key,
    (verified, server_id): (&Verified, &str),
    terms: &Terms,
) -> Option<Arc<SessionEntry>> {
    let now = engine.clock.now();
    let level = terms.provider.row.vouching.trust_level;
    let fits = |row: &SessionRow| {
        let of_provider = row.federated.as_ref().is_some_and(|federated| {
            federated.provider_id == verified.provider_id && federated.trust_level == level
        });
        of_provider
            && row.agent_id == terms.agent.agent.id
            && row.server_id == server_id
            && row.mode == terms.mode
            && row.ceiling.as_deref() == terms.ceiling.as_deref()
    };
    engine.registry.open_from((&verified.token_hash, &key.id), now, fits)
}

/// Returns what session a token that holds opens, as its provider and agent are now.
///
/// # Errors
///
/// Those of [`begin`] that stand before anything is stored.
pub(super) fn planned(
    engine: &Engine,
    verified: &Verified,
    now: Timestamp,
) -> Result<Terms, Error> {
    let provider = engine.registry.providers.get(&verified.provider_id);
    let provider = provider.ok_or_else(|| Error::unauthenticated(NO_SUCH_TOKEN))?;
    // Whoever revoked its key wants nothing of it any more, wherever its tokens are sent.
    gateway(engine, &verified.provider_id)?;
    let (row, claims) = (&provider.row, &verified.claims);
    let found = rule_for(&row.vouching.rules, &claims.subject, &claims.all);
    let (rule, found) = found.ok_or_else(|| no_rule(&provider))?;
    let agent = known(engine, &row.org_id, &found.agent_id)?;
    active(&agent)?;
    let given = terms(row.vouching.trust_level, found.scopes.as_deref(), &claims.scopes);
    let mut mode = stricter(given.mode, agent.floor.mode());
    if given.ceiling.is_some() {
        // As of every session that has a ceiling: what is open has none.
        mode = stricter(mode, SessionMode::Restricted);
    }
    let latest = now.saturating_add(engine.settings.session_ttl);
    let expires_at = ends(claims.expires_at, now).min(latest);
    Ok(Terms { rule, agent, mode, ceiling: given.ceiling, expires_at, provider })
}

/// Returns when a token ends for us: one that is taken after its time, because clocks differ, is so for that long.
fn ends(expires_at: Timestamp, now: Timestamp) -> Timestamp {
    if expires_at > now { expires_at } else { expires_at.saturating_add(SKEW) }
}

/// Returns the refusal of a token that is right and is no agent's here.
pub(crate) fn no_rule(provider: &ProviderEntry) -> Error {
    let (name, id) = (&provider.row.vouching.name, &provider.row.id);
    Error::forbidden(format!(
        "the token holds, and no rule of federation provider {name:?} says which agent it speaks for; an admin adds one, as \
         in `agenttrust federation rule add {id} subject=NAME,agent=AGENT`"
    ))
}
