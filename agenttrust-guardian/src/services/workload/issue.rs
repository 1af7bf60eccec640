//! Tokens of workloads: issued, and bound to the agent's key where it proved that it has it.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::PopProof;
use serde_json::json;

use super::claims::{Claims, Confirmation, issuer, workload_id};
use super::{possession, refused};
use crate::domain::{Error, Key, Secret, ids};
use crate::engine::Engine;
use crate::registry::AgentEntry;
use crate::services::agents::{active, known, record};
use crate::services::card_keys;

/// The greatest length of a token: it travels in a header.
const TOKEN_MAX_BYTES: usize = 8 << 10;

/// A token that is to be issued.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub(crate) agent_id: String,
    pub(crate) service: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) ttl: Duration,
    pub(crate) audience: Vec<String>,
    pub(crate) proof: Option<PopProof>,
}

/// A token that was issued.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) token: Secret,
    pub(crate) workload_id: String,
    pub(crate) expires_at: Timestamp,
}

/// Issues a token.
///
/// # Errors
///
/// Not found or forbidden for an agent that is not there or not active; for a proof that is not right; conflict for an
/// agent without a registered key to prove, and for one with more capabilities than a token has room for; unavailable
/// where nothing signs, and where the database or the audit cannot be written.
pub(crate) async fn issue(engine: &Engine, key: &Key, new: NewToken) -> Result<Issued, Error> {
    let agent = known(engine, &key.org_id, &new.agent_id)?;
    active(&agent)?;
    engine.ensure_auditable()?;
    let bound_to = match &new.proof {
        None => None,
        Some(proof) => {
            let proven = possession::need(engine, &agent, &new.audience, proof).await;
            Some(proven.inspect_err(|error| {
                refused(engine, key, "issue_token", &new.agent_id, error);
            })?)
        }
    };
    card_keys::ensure(engine, key).await?;
    let claims = claims_of(engine, key, &agent, (&new, bound_to));
    // Texts, numbers and lists of texts always serialise.
    let token = card_keys::sign_workload(engine, &serde_json::to_vec(&claims).unwrap_or_default())?;
    if token.len() > TOKEN_MAX_BYTES {
        return Err(Error::conflict(format!(
            "agent {:?} has more capabilities than a workload token has room for; give it fewer and wider ones",
            new.agent_id
        )));
    }
    // Meanwhile somebody may have revoked the agent, or the key.
    active(&*known(engine, &key.org_id, &new.agent_id)?)?;
    engine.need_key(key)?;
    let about = json!({
        "jti": claims.jti,
        "workload_id": claims.sub,
        "audience": claims.aud,
        "ttl": new.ttl.as_secs(),
        "key_thumbprint": claims.cnf.as_ref().map(|cnf| &cnf.jkt),
    });
    engine.record_audit(record(key, "workload.token_issued", &new.agent_id, about)).await?;
    let expires_at = claims.expires_at().unwrap_or_else(|| engine.clock.now());
    Ok(Issued { token: Secret::from(token), workload_id: claims.sub, expires_at })
}

fn claims_of(
    engine: &Engine,
    key: &Key,
    agent: &AgentEntry,
    (new, bound_to): (&NewToken, Option<String>),
) -> Claims {
    let now = engine.clock.now();
    let trust_domain = &engine.settings.trust_domain;
    let (service, environment) = (new.service.as_deref(), new.environment.as_deref());
    Claims {
        iss: issuer(engine),
        sub: workload_id(trust_domain, &new.agent_id, service, environment),
        aud: new.audience.clone(),
        iat: now.unix_seconds(),
        exp: now.saturating_add(new.ttl).unix_seconds(),
        jti: ids::new("wit_"),
        agent_id: new.agent_id.clone(),
        org_id: key.org_id.clone(),
        capabilities: agent.capabilities.as_slice().to_vec(),
        agent_version: agent.versions.now,
        key_id: key.id.clone(),
        cnf: bound_to.map(|jkt| Confirmation { jkt }),
    }
}
