//! The wire objects, used by client and Guardian alike.
//!
//! Field names are those of the AgentTrust wire protocol. Every object ignores unknown fields and tolerates absent
//! ones, so that a client of this version can talk to any gateway. The one field whose absence matters is
//! [`CheckResult::allowed`], which reads as `false` then.

mod a2a;
mod a2a_event;
mod a2a_message;
mod access;
mod access_approval;
mod access_request;
mod action;
mod agent;
mod agent_card;
mod approval;
mod audit;
mod capability;
mod card_key;
mod card_options;
mod card_signature;
mod delegation;
mod effect;
mod federation;
mod floor;
pub mod headers;
mod inbox;
mod issued;
mod key;
mod mcp;
pub(crate) mod name;
mod policy;
mod revocation;
#[cfg(feature = "openapi")]
pub mod schema;
mod session;
mod siem;
mod system;
mod telemetry;
mod timestamp;
mod token;
pub(crate) mod tolerant;
mod tool;
mod webhook;
mod word;
mod workload;

pub use self::a2a::{
    A2ATask, A2ATaskStatus, MessageTask, MessageTaskStatus, SendTaskRequest, TaskState,
};
pub use self::a2a_event::{TaskArtifactUpdate, TaskEvent, TaskStatusUpdate};
pub use self::a2a_message::{TaskArtifact, TaskMessage, TaskPart, TaskRole};
pub use self::access::{
    AGENT_SUBJECT, AccessAction, AccessDecision, AccessDecisionContext, AccessDecisions,
    AccessEvaluation, AccessEvaluationError, AccessEvaluationItem, AccessEvaluations,
    AccessEvaluationsOptions, AccessResource, AccessSubject, AuthzenConfiguration,
    EvaluationsSemantic,
};
pub use self::access_approval::{AccessApproval, AccessNextAction, RequestableDenial};
pub use self::access_request::{
    ACCESS_REQUEST_CAPABILITY, ACCESS_REQUEST_PROBLEM, ACCESS_REQUEST_PROFILE, AccessDenial,
    AccessProblem, AccessRequest, AccessResult, AccessTask, AccessTaskLinks, AccessTaskResponse,
    AccessTaskStatus, CancelAccessRequest,
};
pub use self::action::{ActionCheckRequest, CheckRequest, CheckResult};
pub use self::agent::{Agent, AgentStatus, CreateAgentRequest, PrivateKey, UpdateAgentRequest};
pub use self::agent_card::{
    ATI_TRUST_EXTENSION_URI, AgentCapabilities, AgentCard, AgentCardSignature, AgentCardSkill,
    AgentExtension, AgentInterface, AgentProvider, SecurityScheme,
};
pub use self::approval::{Approval, ApprovalDecision, ApprovalStatus, Approver, Binds, BoundTo};
pub use self::audit::{
    AuditCheckpoint, AuditCheckpointSays, AuditCheckpoints, AuditEntry, AuditFault, AuditLog,
    AuditLogVerification, AuditPage, AuditVerification,
};
pub use self::capability::{CapabilityError, CapabilitySet};
pub use self::card_key::{CardKey, CardKeys, InvalidCardKey, TrustedKey};
pub use self::card_options::{CardBinding, CardInterface, CardOptions, CardVersion};
pub use self::card_signature::CardSignatureError;
pub use self::delegation::{
    CreateDelegationRequest, Delegation, DelegationRestrictions, DelegationState, Delegator,
};
pub use self::effect::{Effect, ParseEffectError};
pub use self::federation::{
    FederatedIntrospection, FederatedToken, FederationProvider, FederationRule, FederationTest,
    FederationTestStep, IssueFederatedTokenRequest, RegisterFederationProviderRequest, TrustLevel,
    UpdateFederationProviderRequest, VerifyFederatedTokenRequest,
};
pub use self::floor::{Floor, SetFloorRequest};
pub use self::inbox::{InboxTask, TaskLease};
pub use self::issued::{IssuedToken, SessionState, TokenKind, TokenState};
pub use self::key::{ApiKey, CreateKeyRequest, Issued, KeyRevocation, KeyRole, KeySecret};
pub use self::mcp::{
    McpAuthorization, McpServer, McpTool, McpToolChange, McpToolState, RegisterMcpServerRequest,
};
pub use self::policy::{
    PoliciesInForce, Policy, PolicyEffect, PolicyElevation, PolicyFile, PolicyLimit,
    PolicyLimitPer, PolicySource, UnusablePolicies,
};
pub use self::revocation::Revocation;
pub use self::session::{InitSessionRequest, Session, SessionMode, SessionSource};
pub use self::siem::{
    CreateSiemDestinationRequest, SiemDelivery, SiemDestination, SiemFormat, SiemSetAside,
    SiemSetAsideList, SiemTest, UpdateSiemDestinationRequest,
};
pub use self::system::{ErrorBody, Health, HealthStatus, SiemHealth, TakenBack};
pub use self::telemetry::{TelemetryEvent, TelemetryEventType, TelemetryReceipt, TelemetryReport};
pub use self::timestamp::Timestamp;
pub use self::token::{IntrospectTokenRequest, IntrospectionResult, IssueTokenRequest, Token};
pub use self::tool::{RaisedEffect, ToolArgument, ToolDeclaration, ToolManifest, ToolPlace};
pub use self::webhook::{
    CreateWebhookRequest, DeliveryStatus, Webhook, WebhookDeliveries, WebhookDelivery,
    WebhookEvent, WebhookSecret,
};
pub use self::word::ParseWordError;
pub use self::workload::{
    Challenge, IssueWimseTokenRequest, PopProof, VerifyWimseTokenRequest, WimseToken,
    WimseVerification,
};

/// The largest number of characters of an input summary that travel (SDK guide, section 13).
pub const SUMMARY_MAX_CHARS: usize = 200;

/// Cuts `text` to its first [`SUMMARY_MAX_CHARS`] characters, never inside a character.
///
/// ```
/// let long = "é".repeat(300);
/// assert_eq!(agenttrust::model::truncate_summary(&long).chars().count(), 200);
/// assert_eq!(agenttrust::model::truncate_summary("short"), "short");
/// ```
#[must_use]
pub fn truncate_summary(text: &str) -> &str {
    match text.char_indices().nth(SUMMARY_MAX_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}
