//! Checks and their answers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::effect::Effect;

/// A check as the guide writes it (section 5). A closed literal: it takes no further field; a guard
/// sends more as headers.
#[derive(Clone, Debug)]
pub struct ActionCheckRequest {
    /// The agent about to act.
    pub agent_id: String,
    /// The kind of action; `tool_call`.
    pub action: String,
    /// The tool about to be called.
    pub tool_name: String,
    /// The caller's summary of the input; its first 200 characters travel.
    pub tool_input_summary: String,
    /// The session, or empty.
    pub session_id: String,
    /// The caller's hint, `read`, `mutating`, `destructive` or `admin`; `None` lets the Guardian classify by the tool's
    /// name. The Guardian may find the effect stronger, never weaker.
    pub action_effect: Option<String>,
}

impl Default for ActionCheckRequest {
    /// Creates a call of a tool, of which nothing is said.
    fn default() -> Self {
        Self {
            agent_id: String::new(),
            action: "tool_call".to_owned(),
            tool_name: String::new(),
            tool_input_summary: String::new(),
            session_id: String::new(),
            action_effect: None,
        }
    }
}

/// The body of `POST /api/v1/agenttrust/check`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckRequest {
    /// The agent about to act.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub agent_id: String,
    /// The session; absent and empty mean none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::NameOrEmpty>))]
    pub session_id: Option<String>,
    /// The tool about to be called.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub action_name: String,
    /// The caller's hint; the Guardian may find it stronger, never weaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = super::schema::optional_effect))]
    pub action_effect: Option<String>,
    /// The source of the action; `api`.
    #[serde(default = "api")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name, default = "api"))]
    pub action_source: String,
    /// The caller's summary of the input, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200, pattern = "^[^\\u0000]*$"))]
    pub action_input_summary: Option<String>,
}

fn api() -> String {
    "api".to_owned()
}

impl CheckRequest {
    /// Creates a check of `action_name` for `agent_id`, everything else absent.
    #[must_use]
    pub fn new(agent_id: impl Into<String>, action_name: impl Into<String>) -> Self {
        Self {
            agent_id: agent_id.into(),
            session_id: None,
            action_name: action_name.into(),
            action_effect: None,
            action_source: api(),
            action_input_summary: None,
        }
    }
}

/// Reads what is only said for information: in a form of another gateway it is absent, not an error.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// The Guardian's answer to a check.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CheckResult {
    /// Whether the action may run; absent reads as `false`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub allowed: bool,
    /// Names this check in the audit trail and in telemetry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub check_id: Option<String>,
    /// The confidence of the classification, 0 to 1.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub confidence: Option<f64>,
    /// `fast`, `spot` or `deep`.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub guard_tier: Option<String>,
    /// The time that the answer took, in milliseconds.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub latency_ms: Option<u64>,
    /// The reason for the decision, and the way on.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
    /// Whether an approval would let it run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub elevation_required: Option<bool>,
    /// The approval that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approval_id: Option<String>,
    /// The effect that the Guardian decided by.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub action_effect: Option<Effect>,
}
