//! Approvals: a person's word on one held action.

use serde::{Deserialize, Serialize};

use super::delegation::Delegator;
use super::timestamp::Timestamp;
use super::word::{ParseWordError, wire_words};

wire_words! {
    /// Where an approval stands.
    pub enum ApprovalStatus as "status of an approval" {
        /// Nobody has decided yet.
        Pending = "pending",
        /// Approved: the same check, retried, is allowed.
        Approved = "approved",
        /// Denied.
        Denied = "denied",
        /// Nobody decided in time, or nobody used it in time.
        Expired = "expired",
        /// Approved and used.
        Consumed = "consumed",
    }
    default = Unknown;
}

wire_words! {
    /// What of the input an approval is bound to, strongest first.
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
        /// Nothing of the input: only agent, session, tool and effect.
        Name = "name",
    }
    default = Name;
}

impl BoundTo {
    /// Whether the approval is bound to a digest, of the whole input or of a part of it.
    #[must_use]
    pub const fn is_digest(self) -> bool {
        matches!(self, Self::Input | Self::Evaluation | Self::Request | Self::Method)
    }
}

/// What the digest of a check is of, where it is not of the whole input.
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
    /// Every word there is.
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
    /// Opaque id.
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
    /// For whom that agent asks, where it acts under a delegation: who gave it that, who gave it to that one, and so
    /// on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_behalf_of: Vec<Delegator>,
    /// That agent's organisation.
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
    /// Where it stands.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: ApprovalStatus,
    /// When the action was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub created_at: Option<Timestamp>,
    /// When it expires: as pending, or (once approved) as usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// Who the deciding caller said it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_by: Option<String>,
    /// The id of the key that decided: who it really was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_by_key: Option<String>,
    /// Why, in the words of who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decision_reason: Option<String>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub decided_at: Option<Timestamp>,
    /// Why the action was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
    /// What the caller said about the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub action_input_summary: Option<String>,
    /// The scopes that the tool needs; the approval serves no check that needs others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What of the input the approval is bound to.
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
    /// What the digest is of, if it was disclosed and the approval is pending: the whole input only where
    /// `bound_to` is `input`, else the part that `bound_to` names. Only keys that may decide approvals are told;
    /// a list leaves out one of more than 16,384 characters of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub input: Option<serde_json::Value>,
    /// How many distinct approvers it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub quorum: Option<u32>,
    /// The check that used it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub used_by_check: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub used_at: Option<Timestamp>,
    /// Whether the call went well that this check allowed. Absent while nobody has reported it: then the
    /// approval is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub succeeded: Option<bool>,
    /// When that was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub outcome_at: Option<Timestamp>,
    /// How many have approved so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approvals: Option<u32>,
    /// Who has approved so far, in their order; where one approval is read, and not in a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
}

/// One who approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Approver {
    /// The id of the key that it was done with: who it really was.
    pub key_id: String,
    /// Who the caller said it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
}

impl Approver {
    /// One who approved with the key of this id, under this name.
    #[must_use]
    pub fn new(key_id: impl Into<String>, name: Option<String>) -> Self {
        Self { key_id: key_id.into(), name }
    }
}

/// What became of a word about an approval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ApprovalDecision {
    /// Where the approval stands now; still pending where it takes more approvers.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: ApprovalStatus,
    /// How many have approved so far; absent when the decision was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approvals: Option<u32>,
    /// How many it takes; absent when the decision was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub quorum: Option<u32>,
    /// Whether the approver had said the same before, which counts once: with this key, with another one of its
    /// owner, or with one that was made with it or that it was made with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}
