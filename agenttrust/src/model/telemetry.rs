//! Reports of what ran.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// What happened to a call.
    pub enum TelemetryEventType as "type of a telemetry event" {
        /// It began.
        ToolStart = "tool_start",
        /// It ended well.
        ToolEnd = "tool_end",
        /// It failed, was cancelled or panicked.
        ToolError = "tool_error",
    }
    default = Unknown;
}

/// One report: a name, a duration and whether it worked. Never an output or an error message (SDK
/// guide, section 13).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TelemetryEvent {
    /// What happened.
    pub event_type: TelemetryEventType,
    /// The tool.
    pub tool_name: String,
    /// How long it ran, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// Whether it worked.
    #[serde(default)]
    pub success: bool,
    /// The *type* of the error, `Cancelled` or `Panic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// The body of `POST /api/v1/telemetry/report`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TelemetryReport {
    /// The agent whose calls these were.
    pub agent_id: String,
    /// The session that they ran in.
    #[serde(default)]
    pub session_id: String,
    /// The events, oldest first.
    pub events: Vec<TelemetryEvent>,
}

/// The answer to a telemetry report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct TelemetryReceipt {
    /// Whether the batch was taken.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub accepted: bool,
    /// How many of its events are kept. Of those that no check vouches for, a Guardian keeps only so many of
    /// an agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub events_processed: u64,
}

impl TelemetryReceipt {
    /// A receipt for `events_processed` events.
    #[must_use]
    pub fn accepted(events_processed: u64) -> Self {
        Self { accepted: true, events_processed }
    }
}
