//! Sessions: one agent's dealings with one server.

use serde::{Deserialize, Serialize};

use super::issued::SessionState;
use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The mode of a session, which sets what its agent may do (SDK guide, section 6).
    pub enum SessionMode as "mode of a session" {
        /// The agent may call any tool within its capabilities.
        Open = "open",
        /// The agent may call only what the scope ceiling allows.
        Restricted = "restricted",
        /// Every call is logged; destructive and admin calls need elevation.
        Supervised = "supervised",
    }
    default = Open;
}

wire_words! {
    /// The source of a session.
    pub enum SessionSource as "source of a session" {
        /// `sessions().init_session`.
        Mcp = "mcp",
        /// An API token.
        Api = "api",
        /// A delegation.
        Delegation = "delegation",
        /// A federated token.
        Federation = "federation",
    }
    default = Mcp;
}

/// A session and its counters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Session {
    /// The session's id, which is opaque.
    pub session_id: String,
    /// The agent that it belongs to.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_id: String,
    /// The organisation of that agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The source of the session.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub source: SessionSource,
    /// The server that it is with.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub server_id: String,
    /// The delegation that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub delegation_id: Option<String>,
    /// The federation provider that vouched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub provider_id: Option<String>,
    /// The issuer of that provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub issuer: Option<String>,
    /// The trust in that provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub trust_level: Option<String>,
    /// The session's mode.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub mode: SessionMode,
    /// The actions that it lists as allowed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub allowed_actions: Vec<String>,
    /// The most that it allows; empty means no ceiling of its own.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scope_ceiling: Vec<String>,
    /// Checks so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub total_calls: u64,
    /// Checks of reads so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub read_calls: u64,
    /// Checks of anything stronger so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub write_calls: u64,
    /// Checks that were not allowed so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub denied_calls: u64,
    /// The id of the token that it was opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub token_id: Option<String>,
    /// The id of the key that it was opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub opened_by: Option<String>,
    /// The gateway that it was opened at, where that has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub gateway: Option<String>,
    /// The session's state; absent for a session that the Guardian did not issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub state: Option<SessionState>,
    /// The time when the session was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The time when the session ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The time when the session was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub last_activity_at: Option<Timestamp>,
}

/// The body of `POST /mcp/sessions/init`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InitSessionRequest {
    /// The agent that the session belongs to.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub agent_id: String,
    /// The server that it is with.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub server_id: String,
    /// A mode to tighten the session to; absent means the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<SessionMode>,
    /// The most that it should allow; absent means the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<super::schema::Capability>>, min_items = 1, max_items = 256))]
    pub scope_ceiling: Option<Vec<String>>,
}
