//! What an evaluation says of approvals, by the draft *AuthZEN Access Request and Approval Profile 1.0*.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// What to do after an evaluation with an approval was denied.
    pub enum AccessNextAction as "next action" {
        /// Request access once more, by the `access_request` beside it.
        Request = "request",
        /// Evaluate once more, later.
        Retry = "retry",
        /// Nothing: it is final.
        Nothing = "none",
    }
    default = Unknown;
}

/// How access can be requested that was denied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct RequestableDenial {
    /// Where to; absent, where the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub endpoint: Option<String>,
    /// What is approved by; to be sent back as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub template: Option<String>,
    /// Until when it can be requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// What binds a request to the denial; to be sent back as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub binding_token: Option<String>,
    /// What people may be shown.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub display: Map<String, Value>,
}

/// An approval. To have it permits nothing: the evaluation that presents it decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessApproval {
    /// Opaque id.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approved_at: Option<Timestamp>,
    /// Until when it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approved_until: Option<Timestamp>,
    /// What others put in; a Guardian needs nothing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub state: Option<Value>,
}
