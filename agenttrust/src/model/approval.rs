//! Approvals: a person's word on one held action.

use serde::{Deserialize, Serialize};

use super::delegation::Delegator;
use super::timestamp::Timestamp;
use super::word::{ParseWordError, wire_words};

wire_words! {
    /// The status of an approval.
    pub enum ApprovalStatus as "status of an approval" {
        /// An approval that no approver has decided yet.
        Pending = "pending",
        /// Approved: the same check, retried, is allowed.
        Approved = "approved",
        /// Denied.
        Denied = "denied",
        /// An approval that no approver decided in time, or that no call used in time.
        Expired = "expired",
        /// Approved and used.
        Consumed = "consumed",
    }
    default = Unknown;
}

wire_words! {
    /// The part of the input to which an approval is bound, strongest first.
    pub enum BoundTo as "way to bind an approval" {
        /// The digest of the whole input.
        Input = "input",
        /// The whole of an evaluation of AuthZEN: subject, action, resource and context.
        Evaluation = "evaluation",
        /// The digest of an HTTP request's method, path and query, and not of its body.
        Request = "request",
        /// The digest of a gRPC method's name, and not of its messages.
        Method = "method",
        /// The exact summary that the caller wrote.
        Summary = "summary",
        /// No part of the input: only agent, session, tool and effect.
        Name = "name",
    }
    default = Name;
}

impl BoundTo {
    /// Returns whether the approval is bound to a digest, of the whole input or of a part of it.
    #[must_use]
    pub const fn is_digest(self) -> bool {
        matches!(self, Self::Input | Self::Evaluation | Self::Request | Self::Method)
    }
}

/// The part of the input that the digest of a check covers, where it is not the whole input.
///
/// It travels as the header [`AgentTrust-Binds`](super::headers::BINDS). An approval that is bound to a
/// part says so to its approver, and serves once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Binds {
    /// An HTTP request's method, path and query, and not its body.
    Request,
    /// A gRPC method's name, and not its messages.
    Method,
}

impl Binds {
    /// All words, strongest first.
    pub const ALL: [Self; 2] = [Self::Request, Self::Method];

    /// Returns the word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Method => "method",
        }
    }
}

impl std::fmt::Display for Binds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Binds {
    type Err = ParseWordError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let part = Self::ALL.into_iter().find(|part| part.as_str() == word);
        part.ok_or_else(|| ParseWordError::new("part of a request", word, &["request", "method"]))
    }
}

impl From<Binds> for BoundTo {
    fn from(part: Binds) -> Self {
        match part {
            Binds::Request => Self::Request,
            Binds::Method => Self::Method,
        }
    }
}

/// A request for a person's word on one action (SDK guide, section 9).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Approval {
    /// The approval's id, which is opaque.
    pub id: String,
    /// The session of the held check; empty when it had none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub session_id: String,
    /// The agent that asked.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_id: String,
    /// The name of that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub agent_name: Option<String>,
    /// The agents for whom that agent asks, where it acts under a delegation: the giver first, then the giver's giver,
    /// and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_behalf_of: Vec<Delegator>,
    /// The organisation of that agent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub org_id: String,
    /// The tool.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub action_name: String,
    /// The effect that the Guardian decided by.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = super::effect::Effect))]
    pub action_effect: String,
    /// The approval's status.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: ApprovalStatus,
    /// The time when the action was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// The time when the approval expires: as pending, or (once approved) as usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// The name that the deciding caller gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_by: Option<String>,
    /// The id of the key that decided: who it really was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_by_key: Option<String>,
    /// The reason for the decision, in the approver's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decision_reason: Option<String>,
    /// The time of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_at: Option<Timestamp>,
    /// The reason why the action was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
    /// The caller's summary of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub action_input_summary: Option<String>,
    /// The scopes that the tool needs; the approval serves no check that needs others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The part of the input to which the approval is bound.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub bound_to: BoundTo,
    /// The digest that it is bound to; `bound_to` says what it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub input_digest: Option<String>,
    /// Whether what the digest is of was disclosed, so that those who decide can see it. Absent where there is
    /// no digest, and where the approval is not pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub input_shown: Option<bool>,
    /// The input that the digest covers, if it was disclosed and the approval is pending: the whole input only where
    /// `bound_to` is `input`, else the part that `bound_to` names. Only keys that may decide approvals see it. A list
    /// leaves out an input of more than 16,384 characters of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub input: Option<serde_json::Value>,
    /// The number of distinct approvers that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub quorum: Option<u32>,
    /// The check that used it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub used_by_check: Option<String>,
    /// The time of that use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub used_at: Option<Timestamp>,
    /// Whether the call that this check allowed went well. Absent while there is no report: then the approval is in
    /// doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub succeeded: Option<bool>,
    /// The time of that report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub outcome_at: Option<Timestamp>,
    /// The number of approvers so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approvals: Option<u32>,
    /// The approvers so far, in their order; where one approval is read, and not in a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
}

/// An approver who approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Approver {
    /// The id of the key that it was done with: who it really was.
    pub key_id: String,
    /// The name that the approving caller gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
}

impl Approver {
    /// Creates one who approved with the key of this id, under this name.
    #[must_use]
    pub fn new(key_id: impl Into<String>, name: Option<String>) -> Self {
        Self { key_id: key_id.into(), name }
    }
}

/// The result of a vote on an approval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ApprovalDecision {
    /// The approval's status now; still pending where it takes more approvers.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: ApprovalStatus,
    /// The number of approvers so far; absent when the decision was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approvals: Option<u32>,
    /// The number of approvers that it takes; absent when the decision was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub quorum: Option<u32>,
    /// Whether the approver had said the same before, which counts once: with this key, with another one of its
    /// owner, or with one that was made with it or that it was made with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}
