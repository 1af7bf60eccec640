//! Requests for access that was denied, by the draft *AuthZEN Access Request and Approval Profile 1.0*: draft 1 of 3
//! June 2026, before that `draft-mcguinness-authzen-access-request`. It is experimental: what is here of it follows the
//! draft.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access::{
    AccessAction, AccessDecision, AccessEvaluation, AccessResource, AccessSubject,
};
use super::access_approval::AccessApproval;
use super::timestamp::Timestamp;
use super::word::wire_words;

/// The capability of a policy decision point that knows the profile of access requests.
pub const ACCESS_REQUEST_CAPABILITY: &str = "urn:openid:authzen:capability:access-request";
/// The revision of the profile that is spoken here.
pub const ACCESS_REQUEST_PROFILE: &str =
    "authzen-access-request-approval-profile-1_0, draft 1 of 2026-06-03, experimental";
/// The prefix of the profile's problem types.
pub const ACCESS_REQUEST_PROBLEM: &str = "urn:openid:authzen:access-request:error:";

wire_words! {
    /// The status of a request for access.
    pub enum AccessTaskStatus as "status of a request for access" {
        /// A request that no approver has decided yet.
        Pending = "pending",
        /// Approved: the same evaluation with the approval is permitted, if the policies still say so.
        Approved = "approved",
        /// Denied.
        Denied = "denied",
        /// A request that no approver decided in time.
        Expired = "expired",
        /// Cancelled, by the requester or because what it was for is over.
        Cancelled = "cancelled",
        /// A request that could not be completed.
        Failed = "failed",
        /// A request of which some parts were approved. A Guardian never answers with it.
        Partial = "partial",
    }
    default = Unknown;
}

/// The denial that access is requested after: what its context said, word for word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDenial {
    /// `evaluation_id` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_id: Option<String>,
    /// `evaluated_at` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<Timestamp>,
    /// `access_request.expires_at` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true, nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// `reason` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `access_request.binding_token` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_token: Option<String>,
    /// `access_request.template` of the denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

impl AccessDenial {
    /// Takes from a decision what a request for access has to repeat; `None` for one that is not requestable.
    #[must_use]
    pub fn of(decision: &AccessDecision) -> Option<Self> {
        let context = decision.context.as_ref().filter(|_| !decision.decision)?;
        let requestable = context.access_request.as_ref()?;
        Some(Self {
            evaluation_id: context.evaluation_id.clone(),
            evaluated_at: context.evaluated_at,
            expires_at: requestable.expires_at,
            reason: context.reason.clone(),
            binding_token: requestable.binding_token.clone(),
            template: requestable.template.clone(),
        })
    }
}

/// A request for access that was denied and is requestable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessRequest {
    /// The subject, as it was evaluated.
    pub subject: AccessSubject,
    /// The action, as it was evaluated.
    pub action: AccessAction,
    /// The resource, as it was evaluated.
    pub resource: AccessResource,
    /// The context, as it was evaluated, with members for the approver beside, such as `business_justification`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Map<String, Value>,
    /// The denial that it comes after.
    pub denial: AccessDenial,
    /// The exact access that the requester wants. The approver is shown it; it decides nothing.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub requested_access: Map<String, Value>,
}

impl AccessRequest {
    /// Requests what was evaluated and denied; `None` for a decision that is not requestable.
    #[must_use]
    pub fn of(evaluation: &AccessEvaluation, decision: &AccessDecision) -> Option<Self> {
        let denial = AccessDenial::of(decision)?;
        let AccessEvaluation { subject, action, resource, mut context } = evaluation.clone();
        context.remove("approval");
        Some(Self { subject, action, resource, context, denial, requested_access: Map::new() })
    }

    /// Says why, to those who decide.
    #[must_use]
    pub fn justified_by(mut self, why: impl Into<String>) -> Self {
        self.context.insert("business_justification".to_owned(), Value::String(why.into()));
        self
    }
}

/// A request for access under way, or done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessTask {
    /// The id of the request for access, which is opaque.
    pub id: String,
    /// The status of the request for access.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: AccessTaskStatus,
    /// The URL of the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub status_endpoint: Option<String>,
    /// Until when it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub expires_at: Option<Timestamp>,
    /// Further URLs of the request for access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub links: Option<AccessTaskLinks>,
    /// Texts that people may be shown: `description` has the reason for a denial or a cancellation, where there was
    /// one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub display: Map<String, Value>,
}

/// Further URLs of a request for access.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessTaskLinks {
    /// The URL that cancels it; absent for a request that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub cancel: Option<String>,
}

/// A request for access, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessTaskResponse {
    /// The request.
    pub task: AccessTask,
    /// The result of the request, once it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub result: Option<AccessResult>,
}

impl AccessTaskResponse {
    /// Returns the approval to present when the same is evaluated once more. A way to go on that is not known here is
    /// no approval.
    #[must_use]
    pub fn approval(&self) -> Option<&AccessApproval> {
        let result =
            self.result.as_ref().filter(|_| self.task.status == AccessTaskStatus::Approved)?;
        result.approval.as_ref().filter(|_| result.mode == REEVALUATE)
    }
}

/// The one way to go on: evaluate once more, with the approval.
const REEVALUATE: &str = "reevaluate";

/// The way on after a request was approved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessResult {
    /// `reevaluate`; what is said otherwise is no approval.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub mode: String,
    /// The approval, to be presented as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approval: Option<AccessApproval>,
}

impl AccessResult {
    /// Returns the result that is an approval.
    #[must_use]
    pub fn reevaluate(approval: AccessApproval) -> Self {
        Self { mode: REEVALUATE.to_owned(), approval: Some(approval) }
    }
}

/// The reason why a request for access is cancelled. Approver and requester see it. Both members together have at most
/// 500 characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CancelAccessRequest {
    /// A word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::DecisionReason>))]
    pub reason: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::DecisionReason>))]
    pub comment: Option<String>,
}

/// An error of a request for access (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessProblem {
    /// The problem's type: a URN that begins with [`ACCESS_REQUEST_PROBLEM`].
    #[serde(rename = "type", default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub kind: String,
    /// The same in a few words.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub title: String,
    /// The status of the answer.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: u16,
    /// The fault in the request, and the way on.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_permits_nothing() {
        for silent in [json!({}), json!({ "context": { "other": 1 } })] {
            let decision: AccessDecision = serde_json::from_value(silent).unwrap();
            assert!(!decision.decision && AccessDenial::of(&decision).is_none());
        }
        for (status, mode, approves) in [
            ("approved", "reevaluate", true),
            ("approved", "token", false),
            ("pending", "reevaluate", false),
            ("newer", "reevaluate", false),
        ] {
            let said = json!({
                "task": { "id": "apr_1", "status": status },
                "result": { "mode": mode, "approval": { "id": "apr_1" } },
            });
            let said: AccessTaskResponse = serde_json::from_value(said).unwrap();
            assert_eq!(said.approval().is_some(), approves, "{status} {mode}");
        }
    }

    #[test]
    fn request_repeats_the_denial_and_what_was_evaluated_without_the_approval() {
        let subject = AccessSubject::new("user", "alice");
        let (action, resource) = (AccessAction::new("read"), AccessResource::new("doc", "1"));
        let asked = AccessEvaluation::new(subject, action, resource)
            .with_approval(&AccessApproval::default());
        let denied: AccessDecision = serde_json::from_value(json!({
            "decision": false,
            "context": {
                "evaluation_id": "chk_1",
                "access_request": { "expires_at": "2026-04-30T20:25:00Z", "binding_token": "a.b.c" },
            },
        }))
        .unwrap();
        let request = AccessRequest::of(&asked, &denied).unwrap().justified_by("renewal");
        assert_eq!(
            serde_json::to_value(&request).unwrap(),
            json!({
                "subject": { "type": "user", "id": "alice" },
                "action": { "name": "read" },
                "resource": { "type": "doc", "id": "1" },
                "context": { "business_justification": "renewal" },
                "denial": {
                    "evaluation_id": "chk_1", "expires_at": "2026-04-30T20:25:00Z", "binding_token": "a.b.c",
                },
            })
        );
    }
}
