//! Access evaluations, as AuthZEN 1.0 writes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::access_approval::{AccessApproval, AccessNextAction, RequestableDenial};
use super::timestamp::Timestamp;
use super::word::wire_words;

/// The type of a subject that is an agent.
pub const AGENT_SUBJECT: &str = "agent";
wire_words! {
    /// How several evaluations of one request are gone through.
    pub enum EvaluationsSemantic as "evaluations semantic" {
        /// All of them are evaluated.
        ExecuteAll = "execute_all",
        /// Up to the first that is denied, as `&&` does.
        DenyOnFirstDeny = "deny_on_first_deny",
        /// Up to the first that is permitted, as `||` does.
        PermitOnFirstPermit = "permit_on_first_permit",
    }
    default = ExecuteAll;
}

/// Who wants access.
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
    /// `agent`, whose id is an agent's; or `user` or `identity`: somebody for whom the asking agent acts.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub kind: String,
    /// Its id within the type.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AccessId))]
    pub id: String,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Map<String, Value>,
}

/// What access is wanted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessResource {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub kind: String,
    /// Its id within the type.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::AccessId))]
    pub id: String,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub properties: Map<String, Value>,
}

/// What is to be done: a tool by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessAction {
    /// The tool.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Name))]
    pub name: String,
    /// What else is said of it.
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

/// One evaluation: may the subject do this to the resource?
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
    /// Who wants it.
    pub subject: AccessSubject,
    /// What is to be done.
    pub action: AccessAction,
    /// What it is done to.
    pub resource: AccessResource,
    /// What else matters. `session_id` names the session of the check, `approval` presents an approval.
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

/// One of several evaluations: what is absent is as the request has it for all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluationItem {
    /// Who wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccessSubject>,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AccessAction>,
    /// What it is done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<AccessResource>,
    /// What else matters.
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

/// How several evaluations are to be gone through.
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
    /// Who wants it, where an evaluation does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccessSubject>,
    /// What is to be done, where an evaluation does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AccessAction>,
    /// What it is done to, where an evaluation does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<AccessResource>,
    /// What else matters, where an evaluation does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub context: Option<Map<String, Value>>,
    /// The evaluations. Where there are none, what stands beside is the one evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<AccessEvaluationItem>>, max_items = 100))]
    pub evaluations: Vec<AccessEvaluationItem>,
    /// How they are gone through.
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

/// What an evaluation came to. Absent, `decision` reads as `false`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecision {
    /// Whether it is permitted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub decision: bool,
    /// What else is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub context: Option<AccessDecisionContext>,
}

/// What several evaluations came to, in their order; fewer of them where it stopped early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecisions {
    /// The decisions.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub evaluations: Vec<AccessDecision>,
}

/// What is told beside a decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessDecisionContext {
    /// The id of the evaluation, which is that of a check: the audit has it, and reports are made under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub evaluation_id: Option<String>,
    /// When it was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub evaluated_at: Option<Timestamp>,
    /// Why it is denied, as a word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub reason: Option<String>,
    /// Why it is denied, for people who can change that: by a status of HTTP that is about the same.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub reason_admin: Map<String, Value>,
    /// Why one of several was not evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub error: Option<AccessEvaluationError>,
    /// How access can be requested. A denial without it is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request: Option<RequestableDenial>,
    /// What to do after the approval that was presented did not serve.
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

/// Why one of several evaluations was not made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AccessEvaluationError {
    /// The status that a request for it alone would have got.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: u16,
    /// What is wrong with it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub message: String,
}

/// What a policy decision point says of itself, at `/.well-known/authzen-configuration`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct AuthzenConfiguration {
    /// Its own URL.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub policy_decision_point: String,
    /// Where one evaluation is asked for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub access_evaluation_endpoint: String,
    /// Where several are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_evaluations_endpoint: Option<String>,
    /// Where access is requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request_endpoint: Option<String>,
    /// The revision of the profile by which it is; an extension of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub access_request_profile: Option<String>,
    /// Where the keys are that binding tokens are verified by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub jwks_uri: Option<String>,
    /// What else it can do, as URNs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}
