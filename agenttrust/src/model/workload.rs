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
    /// The time of the signature, in seconds since 1970.
    #[serde(deserialize_with = "whole")]
    pub ts: i64,
    /// The Ed25519 signature, in base64url without padding.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub signature: String,
}

/// A request to issue a workload token.
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
    /// The environment of the workload, `prod` for instance; a part of the workload's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::PathPart>))]
    pub environment: Option<String>,
    /// The token's lifetime in seconds; 900 by default.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole_or_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 60, maximum = 86400))]
    pub ttl_seconds: Option<u64>,
    /// The audiences of the token; none means anywhere.
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
    /// The time when the token stops working.
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

/// A request to verify a workload token. `Debug` hides the token.
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

/// The worth of a workload token right now.
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
    /// The capabilities that the agent had when the token was issued, and still has.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub capabilities: Vec<String>,
    /// The token's audiences; empty means anywhere. Where the request named no target to the Guardian, the server that
    /// accepts the token looks for itself here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 16))]
    pub audience: Vec<String>,
    /// The thumbprint of the key that the token is bound to, its `cnf.jkt`. A token with a thumbprint is good only with
    /// a proof of that key for each request; a caller with nothing but the token is to be turned away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_thumbprint: Option<String>,
    /// The reason why the token does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
}
