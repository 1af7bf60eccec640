//! Opaque capability tokens.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// A short-lived opaque token (SDK guide, section 4). It is no JWT: only the Guardian can say what it
/// is worth. `Debug` hides the secret.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Token {
    /// The secret itself, `at_…`.
    pub token: String,
    /// A name for it that is not secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub token_id: Option<String>,
    /// The agent that it speaks for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_id: String,
    /// The token's scopes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scopes: Vec<String>,
    /// The token's audiences; empty means anywhere.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub audience: Vec<String>,
    /// The time when the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub issued_at: Option<Timestamp>,
    /// The time when the token stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
}

impl Token {
    /// Creates a token with this secret for this agent, everything else empty.
    #[must_use]
    pub fn new(token: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            token_id: None,
            agent_id: agent_id.into(),
            scopes: Vec::new(),
            audience: Vec::new(),
            issued_at: None,
            expires_at: None,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("token", &"at_..")
            .field("token_id", &self.token_id)
            .field("agent_id", &self.agent_id)
            .field("scopes", &self.scopes)
            .field("audience", &self.audience)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A request to issue a token. The guide writes this struct as a closed literal, so it takes no further field; more
/// goes through [`IssueOptions`](crate::client::IssueOptions).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssueTokenRequest {
    /// The agent that the token speaks for.
    pub agent_id: String,
    /// The token's scopes; the member is called `scopes` on the wire.
    #[serde(rename = "scopes", default)]
    pub scope: Vec<String>,
    /// The token's audiences; empty means anywhere and does not travel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// The token's lifetime, in seconds.
    #[serde(default = "five_minutes")]
    pub ttl: u64,
}

fn five_minutes() -> u64 {
    300
}

/// A request to ask about a token, and whether it is good for some use.
#[derive(Clone, Serialize, Deserialize)]
pub struct IntrospectTokenRequest {
    /// The token.
    pub token: String,
    /// The audience for which the token is about to be used.
    #[serde(default)]
    pub target: Option<String>,
    /// The scopes that it must carry to be active.
    #[serde(default)]
    pub required_scopes: Vec<String>,
}

impl fmt::Debug for IntrospectTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectTokenRequest")
            .field("token", &"at_..")
            .field("target", &self.target)
            .field("required_scopes", &self.required_scopes)
            .finish()
    }
}

/// The worth of a token right now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct IntrospectionResult {
    /// Whether it may be used as asked; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub active: bool,
    /// The agent that it speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub agent_id: Option<String>,
    /// The organisation of that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub org_id: Option<String>,
    /// The token's scopes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scopes: Vec<String>,
    /// The time when the token stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The time that the token works after it was asked about, by the gateway's own clock; it does not travel. `None`
    /// where the answer had no header `Date`, which says what time the gateway had.
    #[serde(skip)]
    pub expires_in: Option<Duration>,
    /// The reason why the token is or is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reasoning: Option<String>,
    /// The tier of the Guardian that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub guard_tier: Option<String>,
    /// The confidence of the answer, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub confidence: Option<f64>,
    /// The time that the answer took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub latency_ms: Option<u64>,
}
