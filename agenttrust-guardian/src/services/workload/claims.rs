//! What a workload's token says.

use agenttrust::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{Key, Role};
use crate::engine::Engine;

/// The claims of a workload's token, beside those that every token has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    /// The id of the workload.
    pub(super) sub: String,
    /// The places where it may be used; anywhere, where the list is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aud: Vec<String>,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
    pub(super) agent_id: String,
    pub(super) org_id: String,
    /// The capabilities that the agent had then.
    pub(super) capabilities: Vec<String>,
    /// The number of its set of capabilities: it may have lost some since, and gained others.
    pub(super) agent_version: i64,
    /// The API key that the token was issued with; it ends with it.
    pub(super) key_id: String,
    /// The key that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Confirmation>,
}

/// The key that a token is bound to (RFC 7800).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Confirmation {
    /// Its thumbprint.
    pub(super) jkt: String,
}

impl Claims {
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        Timestamp::from_unix_micros(self.exp.checked_mul(1_000_000)?)
    }

    /// Returns whether it may be used at `target`: an empty audience means anywhere.
    pub(super) fn is_for(&self, target: &str) -> bool {
        self.aud.is_empty() || self.aud.iter().any(|audience| audience == target)
    }

    /// Returns whether it may be used with this key, as a token may that is not bound: at the target that the caller
    /// names or at the gateway that the key is of; by an admin and the agent itself anywhere.
    pub(super) fn is_for_key(&self, key: &Key, target: Option<&str>) -> bool {
        let own = key.role == Role::Admin || key.is_bound_to(&self.agent_id);
        let mut at = [target, key.gateway.as_deref()].into_iter().flatten();
        own || self.aud.is_empty() || at.any(|at| self.is_for(at))
    }
}

/// Returns the issuer of the tokens of workloads here.
pub(super) fn issuer(engine: &Engine) -> String {
    match engine.settings.public_url() {
        Some(url) => url.to_owned(),
        None => format!("https://{}", engine.settings.trust_domain),
    }
}

/// Returns the id of a workload. Each part has its name before it, so that none passes for another.
pub(super) fn workload_id(
    trust_domain: &str,
    agent_id: &str,
    service: Option<&str>,
    environment: Option<&str>,
) -> String {
    let part = |name: &str, part: Option<&str>| part.map(|part| format!("/{name}/{part}"));
    let environment = part("environment", environment).unwrap_or_default();
    let service = part("service", service).unwrap_or_default();
    format!("spiffe://{trust_domain}{environment}{service}/agent/{agent_id}")
}

/// Returns the trust domain that a workload's id is of.
pub(super) fn trust_domain_of(workload_id: &str) -> Option<&str> {
    Some(workload_id.strip_prefix("spiffe://")?.split_once('/')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_workloads_id_passes_for_another() {
        let of = |service, environment| workload_id("acme", "agt_1", service, environment);
        assert_eq!(of(None, None), "spiffe://acme/agent/agt_1");
        assert_eq!(
            of(Some("pay"), Some("prod")),
            "spiffe://acme/environment/prod/service/pay/agent/agt_1"
        );
        assert_ne!(of(Some("prod"), None), of(None, Some("prod")));
        assert_eq!(trust_domain_of(&of(None, None)), Some("acme"));
        for other in ["", "spiffe://acme", "https://acme/agent/agt_1"] {
            assert_eq!(trust_domain_of(other), None, "{other}");
        }
    }
}
