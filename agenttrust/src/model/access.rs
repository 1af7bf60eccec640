//! Access evaluations, as AuthZEN 1.0 writes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access_approval::{AccessApproval, AccessNextAction, RequestableDenial};
use super::timestamp::Timestamp;
use super::word::wire_words;

/// The type of a subject that is an agent.
pub const AGENT_SUBJECT: &str = "agent";
wire_words! {
    /// The way in which a Guardian goes through several evaluations of one request.
    pub enum EvaluationsSemantic as "evaluations semantic" {
        /// Evaluation of all of them.
        ExecuteAll = "execute_all",
        /// Evaluation up to the first that is denied, as `&&` does.
        DenyOnFirstDeny = "deny_on_first_deny",
        /// Evaluation up to the first that is permitted, as `||` does.
        PermitOnFirstPermit = "permit_on_first_permit",
    }
    default = ExecuteAll;
}

/// The agent, user or identity that wants access.
///
/// ```
/// use agenttrust::model::AccessSubject;
///
/// let agent = AccessSubject::agent("agt_1");
/// assert_eq!(serde_json::to_string(&agent)?, r#"{"type":"agent","id":"agt_1"}"#);
/// let user = AccessSubject::new("user", "alice@example.com").with("department", "Sales");
/// assert_eq!(user.properties["department"], "Sales");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessSubject {
    /// The subject's type: `agent`, whose id is an agent's; or `user` or `identity`, for which the asking agent acts.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub kind: String,
    /// The subject's id within the type.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AccessId))]
    pub id: String,
    /// Further properties of the subject.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Map<String, Value>,
}

/// The resource to which access is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessResource {
    /// The resource's type.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub kind: String,
    /// The resource's id within the type.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AccessId))]
    pub id: String,
    /// Further properties of the resource.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Map<String, Value>,
}

/// The action that the subject wants to do: a tool by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessAction {
    /// The tool.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub name: String,
    /// Further properties of the action.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Map<String, Value>,
}

impl AccessSubject {
    /// Returns the subject of this type and id.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into(), properties: Map::new() }
    }

    /// Returns the agent of this id.
    #[must_use]
    pub fn agent(id: impl Into<String>) -> Self {
        Self::new(AGENT_SUBJECT, id)
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }
}

impl AccessResource {
    /// Returns the resource of this type and id.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into(), properties: Map::new() }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }
}

impl AccessAction {
    /// Returns the action of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), properties: Map::new() }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }
}

/// An evaluation: may the subject do this to the resource?
///
/// ```
/// use agenttrust::model::{AccessAction, AccessEvaluation, AccessResource, AccessSubject};
///
/// let asked = AccessEvaluation::new(
///     AccessSubject::agent("agt_1"),
///     AccessAction::new("can_read"),
///     AccessResource::new("document", "q4-plan"),
/// );
/// assert!(asked.context.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluation {
    /// The subject that wants access.
    pub subject: AccessSubject,
    /// The action that the subject wants to do.
    pub action: AccessAction,
    /// The resource of the action.
    pub resource: AccessResource,
    /// Further facts for the decision. `session_id` names the session of the check, `approval` presents an approval.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Map<String, Value>,
}

impl AccessEvaluation {
    /// Returns the evaluation of this, without a context.
    #[must_use]
    pub fn new(subject: AccessSubject, action: AccessAction, resource: AccessResource) -> Self {
        Self { subject, action, resource, context: Map::new() }
    }

    /// Presents an approval, as it came with the result of a task.
    #[must_use]
    pub fn with_approval(mut self, approval: &AccessApproval) -> Self {
        // Texts and points in time always serialise.
        let approval = serde_json::to_value(approval).unwrap_or_default();
        self.context.insert("approval".to_owned(), approval);
        self
    }
}

/// An evaluation among several. Absent members are taken from the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluationItem {
    /// The subject that wants access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccessSubject>,
    /// The action that the subject wants to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AccessAction>,
    /// The resource of the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<AccessResource>,
    /// Further facts for the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Map<String, Value>>,
}

impl From<AccessEvaluation> for AccessEvaluationItem {
    fn from(one: AccessEvaluation) -> Self {
        let AccessEvaluation { subject, action, resource, context } = one;
        let context = (!context.is_empty()).then_some(context);
        Self { subject: Some(subject), action: Some(action), resource: Some(resource), context }
    }
}

/// Options for going through several evaluations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluationsOptions {
    /// Whether to stop early; by default all of them are evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations_semantic: Option<EvaluationsSemantic>,
    /// Whether each decision of the list says why (an extension of ours): without it, only those do that were not
    /// evaluated, or that access can be requested for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

/// Several evaluations in one request, of which a Guardian takes at most 100.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluations {
    /// The subject of each evaluation that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccessSubject>,
    /// The action of each evaluation that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AccessAction>,
    /// The resource of each evaluation that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<AccessResource>,
    /// Further facts for each evaluation that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Map<String, Value>>,
    /// The evaluations. Where there are none, what stands beside is the one evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<AccessEvaluationItem>>, max_items = 100))]
    pub evaluations: Vec<AccessEvaluationItem>,
    /// Options for going through the evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<AccessEvaluationsOptions>,
}

impl AccessEvaluations {
    /// Returns these evaluations, all of which are evaluated.
    #[must_use]
    pub fn new<I: Into<AccessEvaluationItem>>(evaluations: impl IntoIterator<Item = I>) -> Self {
        let evaluations = evaluations.into_iter().map(Into::into).collect();
        Self { evaluations, ..Self::default() }
    }

    /// Says whether to stop early.
    #[must_use]
    pub fn semantic(mut self, semantic: EvaluationsSemantic) -> Self {
        self.options.get_or_insert_default().evaluations_semantic = Some(semantic);
        self
    }

    /// Has every decision say why.
    #[must_use]
    pub fn explain(mut self) -> Self {
        self.options.get_or_insert_default().explain = Some(true);
        self
    }
}

/// The decision of an evaluation. An absent `decision` reads as `false`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecision {
    /// Whether it is permitted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub decision: bool,
    /// Further facts about the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub context: Option<AccessDecisionContext>,
}

/// The decisions of several evaluations, in their order. There are fewer of them where the Guardian stopped early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecisions {
    /// The decisions.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub evaluations: Vec<AccessDecision>,
}

/// Further facts beside a decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecisionContext {
    /// The id of the evaluation, which is that of a check: the audit has it, and reports are made under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub evaluation_id: Option<String>,
    /// The time of the evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub evaluated_at: Option<Timestamp>,
    /// The reason for a denial, as a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
    /// The reason for a denial, for people who can change that, under the status of HTTP that comes closest.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub reason_admin: Map<String, Value>,
    /// The reason why this evaluation of several was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub error: Option<AccessEvaluationError>,
    /// The way to request access. A denial without it is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request: Option<RequestableDenial>,
    /// The next step after the approval that was presented did not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub next_action: Option<AccessNextAction>,
    /// After how many seconds to evaluate once more, where that is what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub retry_after: Option<u64>,
    /// The approval by which it is permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub approval: Option<AccessApproval>,
}

/// The reason why one of several evaluations was not made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluationError {
    /// The status that a request for it alone would have got.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: u16,
    /// The error's message.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub message: String,
}

/// The description that a policy decision point gives of itself, at `/.well-known/authzen-configuration`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AuthzenConfiguration {
    /// The URL of the policy decision point.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub policy_decision_point: String,
    /// The URL for one evaluation.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub access_evaluation_endpoint: String,
    /// The URL for several evaluations in one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_evaluations_endpoint: Option<String>,
    /// The URL for requests for access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request_endpoint: Option<String>,
    /// The revision of the profile by which it is; an extension of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request_profile: Option<String>,
    /// The URL of the keys that verify binding tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub jwks_uri: Option<String>,
    /// Further capabilities of the policy decision point, as URNs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}
