//! Workload identity: tokens that say which agent a workload is, bound to its key where it proved that it has it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::tolerant::{not_null, whole, whole_or_none};

/// A nonce to be signed by an agent, which proves that it has its private key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Challenge {
    /// The nonce: of this agent, for one proof.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub nonce: String,
    /// Until when it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub expires_at: Option<Timestamp>,
}

/// A proof that an agent has the private half of its registered key.
///
/// What is signed is `pop-v1:{nonce}:{agent_id}:{audience}:{ts}`, where `audience` is the token's, joined by commas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PopProof {
    /// The nonce of a [`Challenge`].
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub nonce: String,
    /// When it was signed, in seconds since 1970.
    #[serde(deserialize_with = "whole")]
    pub ts: i64,
    /// The Ed25519 signature, in base64url without padding.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub signature: String,
}

/// What to issue a workload token for.
///
/// ```
/// let request = agenttrust::IssueWimseTokenRequest {
///     agent_id: "agt_1".to_string(),
///     environment: Some("prod".to_string()),
///     ..Default::default()
/// };
/// assert_eq!(serde_json::to_string(&request)?, r#"{"agent_id":"agt_1","environment":"prod"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssueWimseTokenRequest {
    /// The agent that the token is of.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub agent_id: String,
    /// The service that the agent is part of; a part of the workload's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::PathPart>))]
    pub service_name: Option<String>,
    /// Where it runs, `prod` for instance; a part of the workload's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::PathPart>))]
    pub environment: Option<String>,
    /// How long the token lives, in seconds: 900 unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole_or_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 60, maximum = 86400))]
    pub ttl_seconds: Option<u64>,
    /// Where the token may be used; none means anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<super::schema::WorkloadAudience>>, max_items = 16))]
    pub audience: Option<Vec<String>>,
    /// A proof that the agent has its key, to which the token is bound then.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "not_null")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub proof: Option<PopProof>,
}

/// A workload token. `Debug` hides it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct WimseToken {
    /// The token itself: a JWT that the Guardian signed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub token: String,
    /// The id of the workload, `spiffe://…`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub workload_id: String,
    /// The trust domain that the id is of.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub trust_domain: String,
    /// When the token stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for WimseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WimseToken")
            .field("token", &"..")
            .field("workload_id", &self.workload_id)
            .field("trust_domain", &self.trust_domain)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// Which workload token to verify. `Debug` hides it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyWimseTokenRequest {
    /// The token.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AnyToken))]
    pub token: String,
    /// The trust domain that it must be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::NameOrEmpty>))]
    pub trust_domain_filter: Option<String>,
}

impl fmt::Debug for VerifyWimseTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyWimseTokenRequest")
            .field("token", &"..")
            .field("trust_domain_filter", &self.trust_domain_filter)
            .finish()
    }
}

/// What a workload token is worth right now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct WimseVerification {
    /// Whether it works; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub valid: bool,
    /// The agent that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub agent_id: Option<String>,
    /// The id of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub workload_id: Option<String>,
    /// The trust domain that the id is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub trust_domain: Option<String>,
    /// Those of the agent's capabilities that it had when the token was issued, and still has.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub capabilities: Vec<String>,
    /// Where it may be used; empty means anywhere. Where nobody named its target to the Guardian, who takes it looks for
    /// itself here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 16))]
    pub audience: Vec<String>,
    /// The thumbprint of the key that it is bound to, its `cnf.jkt`. One that has one is good only with a proof of that key
    /// for each request; whoever comes with nothing but the token is to be turned away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_thumbprint: Option<String>,
    /// Why it does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
}
