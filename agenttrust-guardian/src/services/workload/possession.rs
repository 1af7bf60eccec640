//! That an agent has its private key: a nonce that it signs, once.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::internal::dpop::key_of_pem;
use agenttrust::model::PopProof;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signature;
use sha2::{Digest as _, Sha256};

use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::engine::proof_nonces::For;
use crate::registry::AgentEntry;
use crate::services::agents::{active, known};

/// The distance from now at which a proof may be signed, before and after.
const WINDOW: Duration = Duration::from_secs(60);

/// Returns a nonce for this agent to sign, and until when.
///
/// # Errors
///
/// Not found or forbidden for an agent that is not there or not active.
pub(crate) fn challenge(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
) -> Result<(String, Timestamp), Error> {
    let agent = known(engine, &key.org_id, agent_id)?;
    active(&agent)?;
    Ok(engine.proof_nonces.issue(For::Challenge { agent_id }, engine.clock.now()))
}

/// Returns the thumbprint of the agent's registered key.
///
/// # Errors
///
/// Conflict for an agent without one.
fn need_key(agent: &AgentEntry) -> Result<&str, Error> {
    agent.thumbprint.as_deref().ok_or_else(|| {
        Error::conflict(format!(
            "agent {:?} has no registered key, so it cannot prove that it has one; register an agent with its public key",
            agent.agent.id
        ))
    })
}

/// Checks that the agent signed the nonce of its proof for a token of this audience, and uses the nonce up. Returns
/// the thumbprint of its key.
///
/// # Errors
///
/// For a proof that is not right, or was used; unavailable where it cannot be told.
pub(super) async fn need(
    engine: &Engine,
    agent: &AgentEntry,
    audience: &[String],
    proof: &PopProof,
) -> Result<String, Error> {
    let thumbprint = need_key(agent)?;
    let now = engine.clock.now();
    let of = For::Challenge { agent_id: &agent.agent.id };
    let ends = engine.proof_nonces.believes(&proof.nonce, of, now).ok_or_else(|| {
        Error::proof("the nonce of the proof was not given to this agent in the last 5 minutes; ask for a challenge")
    })?;
    let window = WINDOW.as_secs();
    if now.unix_seconds().abs_diff(proof.ts) > window {
        return Err(Error::proof(format!(
            "the proof was signed more than {window} s from now (ts); see that the clocks agree"
        )));
    }
    let PopProof { nonce, ts, .. } = proof;
    let signed = format!("pop-v1:{nonce}:{}:{}:{ts}", agent.agent.id, audience.join(","));
    if !is_signed(agent, &signed, &proof.signature) {
        return Err(Error::proof(
            "the signature of the proof is not the agent's over its nonce, id, audience and time; sign \
             pop-v1:NONCE:AGENT:AUDIENCE:TS with the agent's private key",
        ));
    }
    // Used up last: nobody but the agent uses up what was given to it.
    let id = format!("pop:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(nonce)));
    if engine.use_up(&id, ends).await? {
        return Ok(thumbprint.to_owned());
    }
    Err(Error::proof("the nonce of the proof was used before; ask for another challenge"))
}

fn is_signed(agent: &AgentEntry, message: &str, signature: &str) -> bool {
    let Some(key) = key_of_pem(&agent.agent.public_key) else { return false };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let Ok(signature) = Signature::from_slice(&bytes) else { return false };
    key.verify_strict(message.as_bytes(), &signature).is_ok()
}
