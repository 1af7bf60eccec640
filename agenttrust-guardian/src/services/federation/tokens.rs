//! Opaque tokens of ours that speak for an agent beyond the organisation: issued, looked into, and good for a session.

use agenttrust::model::{CapabilitySet, Session, TokenKind};

use crate::domain::{Error, Fingerprint, Key, Reach};
use crate::engine::Engine;
use crate::registry::AgentEntry;
use crate::services::agents::known;
use crate::services::sessions::begin_from_token;
use crate::services::tokens::{self, IntrospectedToken, Issued, NewToken};

/// The beginning of each of these tokens.
pub(crate) const TOKEN_PREFIX: &str = "fed_";

/// A token that is to be issued.
#[derive(Debug)]
pub(crate) struct NewFederatedToken {
    pub(crate) agent_id: String,
    /// The scopes of the token; none means all that the agent may at present.
    pub(crate) scopes: Vec<String>,
    /// The place where the token may be used.
    pub(crate) audience: Option<String>,
    /// The time that the token lives, in seconds.
    pub(crate) ttl: u64,
}

/// Issues a token.
///
/// # Errors
///
/// Those of [`tokens::issue`].
pub(crate) async fn issue(
    engine: &Engine,
    key: &Key,
    new: NewFederatedToken,
) -> Result<Issued, Error> {
    let scopes = match new.scopes.is_empty() {
        true => all_of(&*known(engine, &key.org_id, &new.agent_id)?),
        false => new.scopes,
    };
    let new = NewToken {
        agent_id: new.agent_id,
        scopes,
        audience: new.audience.into_iter().collect(),
        ttl: new.ttl,
        session_id: None,
        kind: TokenKind::Federation,
    };
    tokens::issue(engine, key, new).await
}

/// Returns what an agent may in all: its capabilities, as far as its floor lets it.
fn all_of(agent: &AgentEntry) -> Vec<String> {
    let floor = &agent.floor;
    let within = match floor.has_ceiling().then(|| CapabilitySet::parse(floor.ceiling())) {
        Some(Ok(ceiling)) => agent.capabilities.in_common_with(&ceiling),
        _ => agent.capabilities.clone(),
    };
    within.names().map(str::to_owned).collect()
}

/// Introspects a federation token.
///
/// # Errors
///
/// That it has expired, that it does not work or the key does not reach it, or that it is not for `target`; without a
/// target, that it is not for the gateway or agents of the key.
pub(crate) fn introspect(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
    target: Option<&str>,
) -> Result<IntrospectedToken, NotWorking> {
    let introspected = introspect_anywhere(engine, reach, token)?;
    let is_for = match target {
        Some(target) => introspected.token.is_for(target),
        None => introspected.token.is_for_key(reach.key, None),
    };
    if is_for { Ok(introspected) } else { Err(NotWorking::OtherAudience) }
}

/// Returns the same, wherever it may be used.
///
/// # Errors
///
/// That it has expired, and that it does not work or the key does not reach it.
pub(super) fn introspect_anywhere(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
) -> Result<IntrospectedToken, NotWorking> {
    tokens::federated(engine, reach, token).ok_or_else(|| match has_expired(engine, reach, token) {
        true => NotWorking::Expired,
        false => NotWorking::Unknown,
    })
}

/// The reason why a token of ours is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWorking {
    #[error("the federation token has expired")]
    Expired,
    #[error("the federation token does not work, or is of an agent that the key does not reach")]
    Unknown,
    #[error("the federation token is for another audience")]
    OtherAudience,
}

impl From<NotWorking> for Error {
    fn from(not: NotWorking) -> Self {
        match not {
            NotWorking::Expired => Self::token_expired(),
            NotWorking::Unknown | NotWorking::OtherAudience => {
                Self::unauthenticated(super::NO_SUCH_TOKEN)
            }
        }
    }
}

/// Returns whether a token worked until its time was over. The caller that has it may know that.
fn has_expired(engine: &Engine, reach: Reach<'_>, token: &str) -> bool {
    let hash = Fingerprint::from_text(token);
    let found = engine.registry.tokens.get(&reach.key.org_id, TokenKind::Federation, &hash);
    found.is_some_and(|found| {
        found.row.expires_at <= engine.clock.now() && reach.covers(&found.row.agent_id)
    })
}

/// Begins a session from a token that works, or finds the one that this key has begun from it already.
///
/// # Errors
///
/// Those of [`begin_from_token`].
pub(crate) async fn begin(
    engine: &Engine,
    key: &Key,
    introspected: &IntrospectedToken,
    target: Option<&str>,
) -> Result<Session, Error> {
    // As of a token of another issuer: many first calls are one session.
    let _alone = engine.openings.alone(&introspected.token.row.id).await;
    begin_from_token(engine, key, &introspected.token, target, None).await
}
