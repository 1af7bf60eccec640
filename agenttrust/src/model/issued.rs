//! What was issued and opened, as lists tell of it.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The state of a token.
    pub enum TokenState as "state of a token" {
        /// A token that was not revoked and has not expired.
        Active = "active",
        /// A token that has expired.
        Expired = "expired",
        /// A token that was revoked, by itself or with what it was made from.
        Revoked = "revoked",
    }
    default = Unknown;
}

wire_words! {
    /// The purpose of a token.
    pub enum TokenKind as "kind of a token" {
        /// A token that speaks for an agent at its gateways, `at_…`.
        Agent = "agent",
        /// A token that speaks for an agent at any server that asks the Guardian about it, also beyond the
        /// organisation, `fed_…`.
        Federation = "federation",
    }
    default = Agent;
}

wire_words! {
    /// The state of an issued session.
    pub enum SessionState as "state of a session" {
        /// A session that was not revoked and has not expired.
        Open = "open",
        /// A session that has expired.
        Expired = "expired",
        /// A session that was revoked, by itself or with what it was made from.
        Revoked = "revoked",
    }
    default = Unknown;
}

/// A token as a list tells of it: everything but the secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct IssuedToken {
    /// A name for it that is not secret.
    pub token_id: String,
    /// The agent that it speaks for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_id: String,
    /// The token's purpose.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub kind: TokenKind,
    /// The token's scopes.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scopes: Vec<String>,
    /// The token's audiences; empty means anywhere.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub audience: Vec<String>,
    /// The session that it was issued in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub session_id: Option<String>,
    /// The id of the key that it was issued with; absent for one from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub issued_by: Option<String>,
    /// The time when the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub issued_at: Option<Timestamp>,
    /// The time when the token stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The time when the token was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub revoked_at: Option<Timestamp>,
    /// The token's state.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub state: TokenState,
}

impl IssuedToken {
    /// Creates a token of this id for this agent, everything else empty.
    #[must_use]
    pub fn new(token_id: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self {
            token_id: token_id.into(),
            agent_id: agent_id.into(),
            kind: TokenKind::default(),
            scopes: Vec::new(),
            audience: Vec::new(),
            session_id: None,
            issued_by: None,
            issued_at: None,
            expires_at: None,
            revoked_at: None,
            state: TokenState::default(),
        }
    }
}
