//! What a workload's token is worth now.

use std::fmt;
use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{AgentStatus, CapabilitySet, WimseVerification};
use serde_json::Value;

use super::claims::{Claims, issuer, trust_domain_of};
use crate::domain::Reach;
use crate::engine::Engine;
use crate::jose::{Expected, Refusal, Typ, Unverified};
use crate::registry::AgentEntry;
use crate::services::card_keys;

/// A token that works, and the agent that it is of.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) claims: Claims,
    pub(super) agent: Arc<AgentEntry>,
    pub(super) expires_at: Timestamp,
}

/// The reason why a token does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A token that this Guardian did not sign, or that was changed.
    Foreign,
    /// A token whose key was rotated away, so that nothing verifies it any more.
    KeyRotated,
    Expired,
    /// A token of another trust domain than this Guardian's.
    TrustDomain,
    /// No agent here is it.
    NoAgent,
    NotActive,
    /// The agent has another key than the token is bound to.
    AgentKey,
    /// The API key that it was issued with was revoked.
    IssuedWith,
    /// A token for another target.
    Target,
    /// A token for certain targets, where the caller does not say at which it is.
    NoTarget,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => {
                "this Guardian did not issue the token, or it was changed since; have one issued"
            }
            Self::KeyRotated => {
                "the key that signed the token was rotated out; have another one issued"
            }
            Self::Expired => "the token has expired; have another one issued",
            Self::TrustDomain => "the token is of another trust domain",
            Self::NoAgent => "there is no such agent",
            Self::NotActive => "the agent is suspended or revoked",
            Self::AgentKey => {
                "the token is bound to another key than the agent has now; have another one issued"
            }
            Self::IssuedWith => {
                "the API key that the token was issued with was revoked; have another one issued"
            }
            Self::Target => "the token is for another audience than the target; have one issued for it",
            Self::NoTarget => {
                "the token is for a certain audience, and it was not said where it is to be used; name the target in \
                 AgentTrust-Target, or give the key of this gateway the name of one"
            }
        })
    }
}

/// Returns the token, if it works now and its agent is within this reach. A token of an agent outside of it is
/// answered as one that this Guardian never issued, so that a caller learns nothing of the agent.
pub(super) fn working(engine: &Engine, reach: Reach<'_>, token: &str) -> Result<Working, Why> {
    let now = engine.clock.now();
    let claims = signed(engine, reach, token, now)?;
    let expires_at = claims.expires_at().ok_or(Why::Foreign)?;
    // Here the clock that issued it is asked: no skew is to be made up for.
    if expires_at <= now {
        return Err(Why::Expired);
    }
    if trust_domain_of(&claims.sub) != Some(&engine.settings.trust_domain) {
        return Err(Why::TrustDomain);
    }
    let agent = engine.registry.agents.get(&reach.key.org_id, &claims.agent_id);
    let agent = agent.ok_or(Why::NoAgent)?;
    if agent.agent.status != AgentStatus::Active {
        return Err(Why::NotActive);
    }
    let bound_to = claims.cnf.as_ref().map(|cnf| cnf.jkt.as_str());
    if bound_to.is_some() && bound_to != agent.thumbprint.as_deref() {
        return Err(Why::AgentKey);
    }
    if !engine.registry.keys.has(&claims.key_id) {
        return Err(Why::IssuedWith);
    }
    Ok(Working { claims, agent, expires_at })
}

/// Returns what the token says, if this Guardian signed it and its agent is within reach.
fn signed(engine: &Engine, reach: Reach<'_>, token: &str, now: Timestamp) -> Result<Claims, Why> {
    let refused = |refusal: Refusal| {
        tracing::debug!(%refusal, "a workload token is not taken");
        match refusal {
            refusal if refusal.is_expired() => Why::Expired,
            refusal if refusal.is_unknown_key() => Why::KeyRotated,
            _ => Why::Foreign,
        }
    };
    let token = Unverified::read(token).map_err(refused)?;
    let issuer = issuer(engine);
    let expected = Expected { issuer: &issuer, audiences: &[], typ: Typ::Workload, now };
    // That it has expired is said of one that is right in all else, and is told to those alone who reach its agent.
    let (claims, ended) = match card_keys::verify(engine, &token, &expected) {
        Ok(claims) => (claims.all, Ok(())),
        Err(refusal) if refusal.is_expired() => (token.claims().clone(), Err(refused(refusal))),
        Err(refusal) => return Err(refused(refusal)),
    };
    let claims: Claims = serde_json::from_value(Value::Object(claims)).map_err(|_| Why::Foreign)?;
    if claims.org_id != reach.key.org_id || !reach.covers(&claims.agent_id) {
        return Err(Why::Foreign);
    }
    ended.map(|()| claims)
}

/// Says what a token is worth to the caller that has it: of a trust domain and at a target, where these are named.
pub(crate) fn verify(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
    trust_domain: Option<&str>,
    target: Option<&str>,
) -> WimseVerification {
    let mut said = WimseVerification::default();
    let working = working(engine, reach, token).and_then(|working| {
        let claims = &working.claims;
        let of = trust_domain_of(&claims.sub);
        if trust_domain.is_some_and(|wanted| of != Some(wanted)) {
            return Err(Why::TrustDomain);
        }
        match target {
            Some(target) if !claims.is_for(target) => Err(Why::Target),
            None if !claims.is_for_key(reach.key, None) => Err(Why::NoTarget),
            _ => Ok(working),
        }
    });
    let Working { claims, agent, .. } = match working {
        Ok(working) => working,
        Err(why) => {
            said.reason = Some(why.to_string());
            return said;
        }
    };
    said.valid = true;
    said.trust_domain = trust_domain_of(&claims.sub).map(str::to_owned);
    said.capabilities = still(&claims, &agent);
    said.agent_id = Some(claims.agent_id);
    said.workload_id = Some(claims.sub);
    said.audience = claims.aud;
    said.key_thumbprint = claims.cnf.map(|cnf| cnf.jkt);
    said
}

/// Returns those capabilities of a token that its agent has had ever since.
fn still(claims: &Claims, agent: &AgentEntry) -> Vec<String> {
    let limit = agent.versions.limit(claims.agent_version);
    let has = |name: &&String| {
        CapabilitySet::parse(std::slice::from_ref(*name)).is_ok_and(|one| {
            agent.capabilities.covers_all_of(&one)
                && limit.is_none_or(|limit| limit.covers_all_of(&one))
        })
    };
    claims.capabilities.iter().filter(has).cloned().collect()
}
