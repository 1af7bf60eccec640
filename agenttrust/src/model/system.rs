//! Health and errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::word::wire_words;

wire_words! {
    /// The status of a gateway.
    pub enum HealthStatus as "status of a gateway" {
        /// A gateway in which everything works.
        Healthy = "healthy",
        /// A gateway that answers, but in which not everything works.
        Degraded = "degraded",
        /// A gateway that cannot do its work.
        Unhealthy = "unhealthy",
    }
    default = Unknown;
}

/// The answer of `GET /health`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Health {
    /// The gateway's status.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: HealthStatus,
    /// The name of the service that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub service: Option<String>,
    /// The version of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<String>,
    /// The status of each part, such as `database` and `audit`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, HealthStatus>,
    /// The delay of events on their way to SIEM destinations, where there are any. Checks are decided in spite of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub siem: Option<SiemHealth>,
}

/// The delay of events on their way to SIEM destinations, in numbers.
///
/// ```
/// use agenttrust::model::{Health, SiemHealth};
///
/// let health: Health = serde_json::from_str(
///     r#"{"status": "healthy", "siem": {"destinations_failing": 1, "lag_seconds": 42}}"#,
/// )?;
/// assert_eq!(health.siem, Some(SiemHealth::new(1, 42)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SiemHealth {
    /// The number of destinations to which the last delivery failed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub destinations_failing: u64,
    /// The age of the oldest event that the answering Guardian still has to deliver to one of them, in seconds.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub lag_seconds: u64,
}

impl SiemHealth {
    /// Creates the health of so many destinations that fail, the furthest of which is so many seconds behind.
    #[must_use]
    pub const fn new(destinations_failing: u64, lag_seconds: u64) -> Self {
        Self { destinations_failing, lag_seconds }
    }
}

impl Health {
    /// Creates an answer of `status` by `service` in `version`.
    #[must_use]
    pub fn new(status: HealthStatus, service: &str, version: &str) -> Self {
        Self {
            status,
            service: Some(service.to_owned()),
            version: Some(version.to_owned()),
            checks: BTreeMap::new(),
            siem: None,
        }
    }
}

/// The result of taking something back: of a revocation, a suspension.
///
/// ```
/// use agenttrust::model::TakenBack;
///
/// assert!(!TakenBack::new("revoked", true).is_in_memory_only());
/// assert!(TakenBack::new("revoked", false).is_in_memory_only());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct TakenBack {
    /// The change that was made, as one word.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: String,
    /// Whether it is stored. Until it is, it is in force at the Guardian that answers and tried again; the
    /// other replicas do not know of it yet, and a restart would forget it. A gateway that is not ours may not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = bool, required = true))]
    pub durable: Option<bool>,
}

impl TakenBack {
    /// Returns what was done, as one word, and whether it is stored.
    #[must_use]
    pub fn new(status: impl Into<String>, durable: bool) -> Self {
        Self { status: status.into(), durable: Some(durable) }
    }

    /// Returns whether the Guardian says that it is in force there and not stored yet: revoke it again to see whether
    /// it is.
    #[must_use]
    pub fn is_in_memory_only(&self) -> bool {
        self.durable == Some(false)
    }
}

/// The body of every answer that is not 2xx.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ApiError))]
pub struct ErrorBody {
    /// A code for programs, such as `VALIDATION_ERROR`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub error: String,
    /// A sentence for people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub message: String,
    /// More for programs, such as the field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, nullable = false))]
    pub details: Option<serde_json::Value>,
}
