//! Sessions of agents that come to a server with a workload token and a proof: the server asks for them, in a session of
//! this token, and sees to the proof of each further call itself.

use agenttrust::model::{Session, SessionMode, SessionSource};

use super::claims::Claims;
use super::prove::{Presented, Right, look_at};
use super::verify::Working;
use crate::domain::ids::{self, SESSION_PREFIX};
use crate::domain::{Error, Fingerprint, Key, Reach, Role};
use crate::engine::Engine;
use crate::registry::stricter;
use crate::services::sessions::{shown, start_session};
use crate::store::{BoundWorkload, SessionRow};

/// Begins a session from a workload token and the proof that came with it, or finds the one that this key has begun from the
/// token already. `target` is where the token is used, if the caller says so. Returns it with the thumbprint of the key that
/// every further proof is made with.
///
/// # Errors
///
/// For a token or a proof that is not right, or was used; forbidden for an agent that the key does not reach, too many where
/// it has as many sessions as it may have, unavailable where nobody can tell whether the proof was used.
pub(crate) async fn begin(
    engine: &Engine,
    reach: Reach<'_>,
    presented: Presented<'_>,
    target: Option<&str>,
    mode: Option<SessionMode>,
) -> Result<(Session, String), Error> {
    let key = reach.key;
    let (working, Right { unused, .. }) = look_at(engine, key, presented)?;
    let Working { claims, agent, expires_at } = working;
    reach.need(&claims.agent_id)?;
    if !is_for(&claims, key, target) {
        return Err(Error::workload_token(
            "the workload token is for another audience; have one issued for this server, or send the target that it is for \
             in AgentTrust-Target",
        ));
    }
    let thumbprint = unused.used_up(engine).await?.thumbprint.as_ref().to_owned();
    let token_hash = Fingerprint::from_text(presented.token).to_hex();
    // Of many first calls with one token one opens the session, and the others find it.
    let _alone = engine.openings.alone(&token_hash).await;
    let mode = stricter(mode.unwrap_or(SessionMode::Restricted), SessionMode::Restricted);
    let mode = stricter(mode, agent.floor.mode());
    let now = engine.clock.now();
    let opened = engine.registry.sessions.opened_from(&token_hash, &key.id);
    let same = opened
        .iter()
        .find(|session| session.row.mode == mode && engine.registry.is_open(session, now));
    if let Some(session) = same {
        return Ok((shown(engine, session).await?, thumbprint));
    }
    let workload =
        BoundWorkload { thumbprint: thumbprint.clone(), token_hash, issued_by: claims.key_id };
    let row = SessionRow {
        id: ids::new(SESSION_PREFIX),
        org_id: key.org_id.clone(),
        agent_id: claims.agent_id,
        source: SessionSource::Api,
        server_id: String::new(),
        mode,
        ceiling: Some(claims.capabilities.into()),
        token_id: None,
        created_at: now,
        expires_at,
        ended: false,
        opened_by: Some(key.id.clone()),
        gateway: key.gateway.clone(),
        agent_version: claims.agent_version,
        delegation_id: None,
        federated: None,
        workload: Some(workload),
    };
    Ok((start_session(engine, key, row).await?, thumbprint))
}

/// Whether a token of this audience may be used by whoever has this key, as one that is not bound may: one for nobody in
/// particular anywhere, and by an admin and the agent itself.
fn is_for(claims: &Claims, key: &Key, target: Option<&str>) -> bool {
    let own = key.role == Role::Admin || key.is_bound_to(&claims.agent_id);
    let mut at = [target, key.gateway.as_deref()].into_iter().flatten();
    own || claims.aud.is_empty() || at.any(|at| claims.aud.iter().any(|audience| audience == at))
}
