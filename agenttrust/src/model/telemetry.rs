//! Reports of what ran.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The event of a call.
    pub enum TelemetryEventType as "type of a telemetry event" {
        /// The start of a call.
        ToolStart = "tool_start",
        /// The end of a call that went well.
        ToolEnd = "tool_end",
        /// The end of a call that failed, was cancelled or panicked.
        ToolError = "tool_error",
    }
    default = Unknown;
}

/// A report of one call: a name, a duration and whether it worked. It never has an output or an error message (SDK
/// guide, section 13).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TelemetryEvent {
    /// The event of the call.
    pub event_type: TelemetryEventType,
    /// The tool.
    pub tool_name: String,
    /// The duration of the call, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// Whether it worked.
    #[serde(default)]
    pub success: bool,
    /// The *type* of the error, `Cancelled` or `Panic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The time when the call ended.
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
    /// The number of the batch's events that are kept. Of events that no check vouches for, a Guardian keeps only so
    /// many of an agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub events_processed: u64,
}

impl TelemetryReceipt {
    /// Creates a receipt for `events_processed` events.
    #[must_use]
    pub fn accepted(events_processed: u64) -> Self {
        Self { accepted: true, events_processed }
    }
}
