//! What an evaluation says of approvals, by the draft *AuthZEN Access Request and Approval Profile 1.0*.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// The next step after an evaluation with an approval was denied.
    pub enum AccessNextAction as "next action" {
        /// Request access once more, by the `access_request` beside it.
        Request = "request",
        /// Evaluate once more, later.
        Retry = "retry",
        /// No next step: the denial is final.
        Nothing = "none",
    }
    default = Unknown;
}

/// The way to request access after a denial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct RequestableDenial {
    /// The URL for the request; where it is absent, the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub endpoint: Option<String>,
    /// The template of the request; to be sent back as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub template: Option<String>,
    /// Until when it can be requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The token that binds a request to the denial; to be sent back as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub binding_token: Option<String>,
    /// Texts that people may be shown.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub display: Map<String, Value>,
}

/// An approval. To have it permits nothing: the evaluation that presents it decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessApproval {
    /// The approval's id, which is opaque.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The time of the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approved_at: Option<Timestamp>,
    /// Until when it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approved_until: Option<Timestamp>,
    /// The state of other decision points; a Guardian needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub state: Option<Value>,
}
