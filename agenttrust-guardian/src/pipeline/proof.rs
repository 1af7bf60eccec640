//! Whether the agent proved that it has its private key. The proof of a check is used up before anything is decided. If
//! an agent's checks need a proof, a check without one is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::{Timestamp, background};

use super::Check;
use super::session::SessionContext;
use crate::domain::{Error, Role};
use crate::engine::Engine;
use crate::registry::AgentEntry;

/// A proof that is right in itself.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// The thumbprint of the key that it was made with, which is the agent's.
    pub(crate) thumbprint: Arc<str>,
    /// The single use of the proof, unless it was for the request that this check is part of.
    pub(crate) once: Option<Once>,
}

/// The single use of a proof.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    /// The id that tells the proof from every other: see [`Engine::use_up`].
    pub(crate) id: String,
    /// The time until which it would be taken again.
    pub(crate) expires_at: Timestamp,
}

impl Proof {
    /// Uses it up, for all that is checked of one request.
    ///
    /// # Errors
    ///
    /// For a proof that was used before, and where it cannot be told whether it was.
    pub(crate) async fn used_up(self, engine: &Engine) -> Result<Self, Error> {
        if let Some(Once { id, expires_at }) = &self.once
            && !engine.use_up(id, *expires_at).await?
        {
            return Err(used());
        }
        Ok(Self { once: None, ..self })
    }
}

/// Uses up the proof of a check, in the time that the check has; returns what is left of that, `None` where it is over.
///
/// # Errors
///
/// For a proof that was used before, and where it cannot be told whether it was.
pub(super) async fn use_up(
    engine: &Engine,
    check: &Check,
    limit: Duration,
) -> Result<Option<Duration>, Error> {
    let Some(proof) = check.proof.clone() else { return Ok(Some(limit)) };
    let begun = Instant::now();
    match background::timeout(limit, proof.used_up(engine)).await {
        Ok(Ok(_)) => Ok(Some(limit.saturating_sub(begun.elapsed()))),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn used() -> Error {
    Error::proof("the proof was used before; make a new one for every request")
}

/// Returns why a check of this agent is refused for want of a proof, if it is.
pub(super) fn missing(
    engine: &Engine,
    check: &Check,
    entry: &AgentEntry,
    session: &SessionContext,
) -> Option<String> {
    let agent = &entry.agent.id;
    let key = entry.thumbprint.as_deref();
    let opened_with = session.workload();
    if let Some(workload) = opened_with
        && key != Some(workload.thumbprint.as_str())
    {
        return Some(format!(
            "this session was opened with another key than agent {agent:?} has now; begin a new one, with a new workload \
             token"
        ));
    }
    if opened_with.is_some_and(|workload| !engine.registry.keys.has(&workload.issued_by)) {
        return Some(
            "the API key that this session's workload token was issued with was revoked; begin a new session, with a new \
             token"
                .to_owned(),
        );
    }
    if !entry.agent.requires_proof {
        return None;
    }
    let by_itself = check.proof.as_ref().map(|proof| &*proof.thumbprint);
    // A gateway sees to the proof of each call that it asks about in such a session.
    let at_gateway = check.key.role == Role::Gateway;
    let by_gateway =
        opened_with.filter(|_| at_gateway).map(|workload| workload.thumbprint.as_str());
    if key.is_some() && by_itself.or(by_gateway) == key {
        return None;
    }
    Some(format!(
        "every check of agent {agent:?} needs a proof that it has its private key, and this one came without; send its \
         workload token and a DPoP proof along, as a client with agent credentials does, or open the gateway's session with \
         them"
    ))
}
