//! What was issued and opened: tokens and sessions, listed, and taken back by their ids.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{IssuedToken, Session, SessionState, TokenState};
use serde_json::json;

use super::agents::record;
use crate::domain::names::check_text;
use crate::domain::{Error, Key, Reach, Role};
use crate::engine::Engine;
use crate::registry::{SessionEntry, TokenEntry};
use crate::store::{IssuedFilter, OpenedAt};

/// Returns the tokens within reach that pass the filter, the newest first, without what is secret; of one agent, or of
/// all.
///
/// # Errors
///
/// Forbidden for an agent that is not within reach.
pub(crate) async fn tokens(
    engine: &Engine,
    reach: Reach<'_>,
    agent_id: Option<&str>,
    filter: IssuedFilter<TokenState>,
) -> Result<Vec<IssuedToken>, Error> {
    let now = engine.clock.now();
    let org_id = &reach.key.org_id;
    let mut found = Vec::new();
    // Agent by agent, as of approvals: those of others must not push out the caller's own.
    for agent_id in reach.listed(agent_id)? {
        let filter = IssuedFilter { agent_id, ..filter.clone() };
        found.extend(engine.reading_store.tokens(org_id.clone(), filter, now).await?);
    }
    Ok(newest(found, &filter, |token| (token.issued_at, &token.token_id)))
}

/// Returns the issued sessions within reach that pass the filter, the newest first; of one agent, or of all. A gateway
/// reaches those that were opened at it.
///
/// # Errors
///
/// Forbidden for an agent that is not within reach.
pub(crate) async fn sessions(
    engine: &Engine,
    reach: Reach<'_>,
    agent_id: Option<&str>,
    filter: IssuedFilter<SessionState>,
) -> Result<Vec<Session>, Error> {
    // Decisions that were answered may be on their way to the disk.
    engine.audit.flush().await;
    let (now, key) = (engine.clock.now(), reach.key);
    let (of, opened) = match key.role {
        Role::Gateway => {
            agent_id.map_or(Ok(()), |agent_id| reach.need_named(agent_id))?;
            let agent_id = agent_id.or(reach.named).map(str::to_owned);
            (vec![agent_id], Some(opened_at(key)))
        }
        _ => (reach.listed(agent_id)?, None),
    };
    let mut found = Vec::new();
    for agent_id in of {
        let filter = IssuedFilter { agent_id, ..filter.clone() };
        let (org_id, opened) = (key.org_id.clone(), opened.clone());
        found.extend(engine.reading_store.sessions(org_id, filter, opened, now).await?);
    }
    Ok(newest(found, &filter, |session| (session.created_at, &session.session_id)))
}

fn opened_at(key: &Key) -> OpenedAt {
    OpenedAt { key_id: key.id.clone(), gateway: key.gateway.clone() }
}

/// Returns the newest of what was found of each agent, as many as the filter says.
pub(super) fn newest<T, S>(
    mut found: Vec<T>,
    filter: &IssuedFilter<S>,
    place: impl for<'t> Fn(&'t T) -> (Option<Timestamp>, &'t String),
) -> Vec<T> {
    found.sort_by(|one, other| place(other).cmp(&place(one)));
    found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    found
}

/// Revokes the token of this id, with all that was made from it; returns whether that is stored.
///
/// # Errors
///
/// Not found for one that does not work, or that is not within reach; invalid for a reason that is too long.
pub(crate) async fn revoke_token(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    reason: &str,
) -> Result<bool, Error> {
    check_text("reason", reason)?;
    let token = found(engine, || token(engine, reach, id)).await;
    let token = token.ok_or_else(|| Error::unknown("token that works", id))?;
    let about = json!({ "token_id": id, "reason": reason });
    let record = record(reach.key, "token.revoked", &token.row.agent_id, about);
    Ok(engine.take_token(token, record).await)
}

fn token(engine: &Engine, reach: Reach<'_>, id: &str) -> Option<Arc<TokenEntry>> {
    let is = |token: &TokenEntry| token.row.id == id;
    let token = engine.registry.tokens.by_id(id).or_else(|| engine.taking_token(is))?;
    let row = &token.row;
    let live = row.expires_at > engine.clock.now();
    (live && row.org_id == reach.key.org_id && reach.covers(&row.agent_id)).then_some(token)
}

/// Ends the session of this id, with all that was made from it; returns whether that is stored.
///
/// # Errors
///
/// Not found for one that is not open, or that is not within reach; invalid for a reason that is too long.
pub(crate) async fn revoke_session(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    reason: &str,
) -> Result<bool, Error> {
    check_text("reason", reason)?;
    let session = found(engine, || session(engine, reach, id)).await;
    let session = session.ok_or_else(|| Error::unknown("open session", id))?;
    let about = json!({ "session_id": id, "reason": reason });
    let record = record(reach.key, "session.revoked", &session.row.agent_id, about);
    Ok(engine.take_session(session, record).await)
}

fn session(engine: &Engine, reach: Reach<'_>, id: &str) -> Option<Arc<SessionEntry>> {
    let known = engine.registry.sessions.get(&reach.key.org_id, id);
    let session = known.or_else(|| engine.taking_session(id))?;
    let row = &session.row;
    let live = session.is_live(engine.clock.now()) && row.org_id == reach.key.org_id;
    (live && reach.covers(&row.agent_id)).then_some(session)
}

/// Returns what `look` finds, if need be once memory has followed: another replica may have issued it a moment ago.
pub(super) async fn found<T>(engine: &Engine, look: impl Fn() -> Option<T>) -> Option<T> {
    match look() {
        None => {
            // Without its database a replica goes by what it knows.
            engine.sync().await.ok()?;
            look()
        }
        known => known,
    }
}
