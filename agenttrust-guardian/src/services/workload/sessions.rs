//! Sessions of agents that come to a server with a workload token and a proof. The server asks for them, in a session
//! of this token, and checks the proof of each further call itself.

use agenttrust::model::{Session, SessionMode, SessionSource};

use super::prove::{Presented, Right, look_at};
use super::verify::Working;
use crate::domain::ids::{self, SESSION_PREFIX};
use crate::domain::{Error, Fingerprint, Reach};
use crate::engine::Engine;
use crate::registry::stricter;
use crate::services::sessions::{shown, start_session};
use crate::store::{BoundWorkload, SessionRow};

/// Begins a session from a workload token and the proof that came with it, or finds the one that this key has begun
/// from the token already. `target` is where the token is used, if the caller says so. Returns it with the thumbprint
/// of the key that every further proof is made with.
///
/// # Errors
///
/// For a token or a proof that is not right, or was used, and for a token of an agent that the key does not reach; too
/// many where the agent has as many sessions as it may have, unavailable where it cannot be told whether the proof was
/// used.
pub(crate) async fn begin(
    engine: &Engine,
    reach: Reach<'_>,
    presented: Presented<'_>,
    target: Option<&str>,
    mode: Option<SessionMode>,
) -> Result<(Session, String), Error> {
    let key = reach.key;
    let (working, Right { unused, .. }) = look_at(engine, reach, presented)?;
    let Working { claims, agent, expires_at } = working;
    if !claims.is_for_key(key, target) {
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
    let origin = (token_hash.as_str(), key.id.as_str());
    if let Some(session) = engine.registry.open_from(origin, now, |row| row.mode == mode) {
        return Ok((shown(engine, &session).await?, thumbprint));
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
