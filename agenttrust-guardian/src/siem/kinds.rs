//! Every kind of row that the audit holds, and as what each is sent.
//!
//! This is the documented table of the mapping to OCSF. A row has, in this order: its kind · the class · the activity,
//! in the schema's word or in one of ours (counted as 99) · how grave it is · what was done about it · the type of what
//! it is about, and the member of the body that names that · what happened, in words for a reader.
//!
//! How a `decision` came out is in its body, and so are the activity, the gravity and the outcome of its event: see
//! [`calls`](super::calls).

use super::classes::Class::{
    self, ApiActivity, ApplicationLifecycle, Authentication, AuthorizeSession, BaseEvent,
    DetectionFinding, EntityManagement, EventLogActivity,
};
use super::classes::Severity::{self, High, Informational, Low, Medium};
use super::outcome::Outcome::{
    self, Alert, Allowed, Approved, Blocked, Done, Held, Logged, Refused, Rejected, Revoked,
    Unauthorized,
};

/// The form in which rows of a kind are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindRow {
    pub(super) kind: &'static str,
    pub(super) class: Class,
    pub(super) activity: &'static str,
    pub(super) severity: Severity,
    pub(super) outcome: Outcome,
    /// The type of what it is about ...
    pub(super) of: &'static str,
    /// ... and the member of the body that names it.
    pub(super) named_by: &'static str,
    /// The sentence that tells a reader what happened.
    pub(super) says: &'static str,
}

macro_rules! kinds {
    ($(
        $kind:literal: $class:ident $activity:literal $severity:ident $outcome:ident
        ($of:literal $named_by:literal) $says:literal;
    )*) => {
        /// The kinds that the audit writes, all of them.
        pub(crate) const KINDS: &[&str] = &[$($kind),*];

        const ROWS: &[KindRow] = &[$(KindRow {
            kind: $kind, class: $class, activity: $activity, severity: $severity, outcome: $outcome,
            of: $of, named_by: $named_by, says: $says,
        }),*];
    };
}

kinds! {
    // Calls of tools, and what is sent to other agents.
    "decision": ApiActivity "Call" Informational Allowed ("tool" "tool") "a tool call was decided";
    "decision.withdrawn": ApiActivity "Call" Medium Revoked ("tool" "tool") "a permission was withdrawn before it was told";
    "outcome": ApiActivity "Call" Informational Logged ("tool" "tool") "a tool call ended";
    "mcp.answered": ApiActivity "Answer" Informational Logged ("MCP server" "server") "an answer to an MCP server was handed on";
    "mcp.refused": ApiActivity "Call" Medium Blocked ("tool" "name") "a call of MCP was refused unchecked";
    "task.dispatched": ApiActivity "Send" Informational Allowed ("agent" "target_agent_id") "a task was handed on";
    "task.held": ApiActivity "Send" Low Held ("agent" "target_agent_id") "a task waits for an approval";
    "task.in_doubt": ApiActivity "Send" Medium Logged ("agent" "target_agent_id") "it is not known whether a task arrived";
    "task.ended": ApiActivity "Send" Informational Logged ("agent" "target_agent_id") "a task ended";

    // Approvals: what gives an agent a right, or keeps it from it, authorizes a session; what else becomes of one
    // is a change of the approval.
    "approval.approved": AuthorizeSession "Assign Privileges" Low Approved ("approval" "approval_id") "a call was approved";
    "approval.denied": AuthorizeSession "Assign Privileges" Medium Rejected ("approval" "approval_id") "a call was denied by an approver";
    "approval.vote": EntityManagement "Update" Low Done ("approval" "approval_id") "an approver said yes, and others have to";
    "approval.expired": EntityManagement "Disable" Low Done ("approval" "approval_id") "an approval expired";
    "approval.cancelled": EntityManagement "Disable" Low Done ("approval" "approval_id") "a request for access was cancelled by who asked";
    "change.held": EntityManagement "Create" Low Held ("approval" "approval_id") "a change by an operator waits for an approval";

    // Sessions, and who may act at all.
    "session.opened": AuthorizeSession "Assign Privileges" Informational Done ("session" "session_id") "a session was opened";
    "session.revoked": Authentication "Logoff" Low Done ("session" "session_id") "a session was revoked";
    "federation.token_refused": Authentication "Logon" Medium Unauthorized ("federation provider" "provider_id") "a token of another issuer was not taken";
    "proof.refused": Authentication "Logon" Medium Unauthorized ("agent" "agent_id") "the proof of an agent's key was not taken";

    // What is kept, and who changed it.
    "agent.created": EntityManagement "Create" Informational Done ("agent" "agent_id") "an agent was registered";
    "agent.changed": EntityManagement "Update" Low Done ("agent" "agent_id") "an agent was changed";
    "agent.floor_set": EntityManagement "Update" Low Done ("agent" "agent_id") "the floor of an agent was set";
    "agent.suspended": EntityManagement "Suspend" Medium Done ("agent" "agent_id") "an agent was suspended";
    "agent.reactivated": EntityManagement "Resume" Low Done ("agent" "agent_id") "an agent was reactivated";
    "agent.revoked": EntityManagement "Disable" Medium Done ("agent" "agent_id") "an agent was revoked";
    "key.created": EntityManagement "Create" Low Done ("API key" "key_id") "an API key was made";
    "key.rotated": EntityManagement "Update" Low Done ("API key" "key_id") "an API key was rotated";
    "key.revoked": EntityManagement "Disable" Medium Done ("API key" "key_id") "an API key was revoked";
    "token.issued": EntityManagement "Create" Informational Done ("token" "token_id") "a token was issued";
    "token.revoked": EntityManagement "Disable" Low Done ("token" "token_id") "a token was revoked";
    "workload.token_issued": EntityManagement "Create" Informational Done ("workload token" "jti") "a workload token was issued";
    "delegation.created": EntityManagement "Create" Low Done ("delegation" "delegation_id") "an agent gave rights to another one";
    "delegation.revoked": EntityManagement "Disable" Low Done ("delegation" "delegation_id") "a delegation was revoked";
    "delegation.refused": EntityManagement "Refuse" Medium Refused ("delegation" "delegation_id") "a request about a delegation was refused";
    "tools.declared": EntityManagement "Update" Informational Done ("tools" "") "tools were declared";
    "tool.effect_set": EntityManagement "Update" Medium Done ("tool" "tool") "the effect of a tool was set";
    "tool.effect_unset": EntityManagement "Update" Medium Done ("tool" "tool") "the effect of a tool is no longer set";
    "tool.removed": EntityManagement "Delete" Low Done ("tool" "tool") "what was declared of a tool was removed";
    "policies.loaded": EntityManagement "Update" Medium Done ("policies" "sha256") "a set of policies is in force";
    "policies.refused": EntityManagement "Refuse" Medium Refused ("policies" "in_force") "policies were not usable, so the ones in force stay";
    "mcp_server.registered": EntityManagement "Create" Low Done ("MCP server" "server_id") "an MCP server was registered";
    "mcp_server.removed": EntityManagement "Delete" Low Done ("MCP server" "server_id") "an MCP server was removed";
    "mcp_server.refused": EntityManagement "Refuse" Medium Refused ("MCP server" "server_id") "a request about an MCP server was refused";
    "mcp_tool.appeared": EntityManagement "Create" Informational Done ("MCP server" "server_id") "an MCP server has further tools";
    "mcp_tool.changed": EntityManagement "Update" Medium Done ("MCP server" "server_id") "an MCP server describes tools otherwise than before";
    "mcp_tool.gone": EntityManagement "Delete" Low Done ("MCP server" "server_id") "an MCP server has tools no more";
    "mcp_tool.accepted": EntityManagement "Enable" Medium Done ("tool" "tool") "the description of a tool was accepted";
    "card.generated": EntityManagement "Update" Informational Done ("agent card" "agent_id") "an agent card was generated";
    "card.published": EntityManagement "Enable" Low Done ("agent card" "agent_id") "an agent card was published";
    "card.withdrawn": EntityManagement "Disable" Low Done ("agent card" "agent_id") "an agent card was withdrawn";
    "card_key.made": EntityManagement "Create" Low Done ("card key" "kid") "a key that signs agent cards was made";
    "card_key.rotated": EntityManagement "Update" Low Done ("card key" "kid") "the key that signs agent cards was rotated";
    "federation.provider_registered": EntityManagement "Create" Medium Done ("federation provider" "provider_id") "a federation provider was registered";
    "federation.provider_changed": EntityManagement "Update" Medium Done ("federation provider" "provider_id") "a federation provider was changed";
    "federation.provider_removed": EntityManagement "Delete" Medium Done ("federation provider" "provider_id") "a federation provider was removed";
    "federation.provider_refused": EntityManagement "Refuse" Medium Refused ("federation provider" "provider_id") "a request about a federation provider was refused";
    "federation.tested": EntityManagement "Read" Informational Done ("federation provider" "provider_id") "a token was tried out";
    "webhook.created": EntityManagement "Create" Low Done ("webhook" "webhook_id") "a webhook was added";
    "webhook.removed": EntityManagement "Delete" Low Done ("webhook" "webhook_id") "a webhook was removed";
    "webhook.disabled": EntityManagement "Disable" Medium Done ("webhook" "webhook_id") "a webhook was switched off";
    "siem.destination_created": EntityManagement "Create" Medium Done ("SIEM destination" "destination_id") "a SIEM destination was added";
    "siem.destination_updated": EntityManagement "Update" Medium Done ("SIEM destination" "destination_id") "a SIEM destination was changed";
    "siem.destination_removed": EntityManagement "Delete" Medium Done ("SIEM destination" "destination_id") "a SIEM destination was removed";
    "siem.destination_replayed": EntityManagement "Replay" Low Done ("SIEM destination" "destination_id") "a SIEM destination gets events once more";
    "siem.destination_refused": EntityManagement "Refuse" Medium Refused ("SIEM destination" "destination_id") "a request about a SIEM destination was refused";
    "secrets.sealed": EntityManagement "Update" Low Done ("secrets" "") "kept secrets were sealed by the key of today";

    // The Guardian and its audit.
    "guardian.started": ApplicationLifecycle "Start" Informational Done ("Guardian" "replica") "the Guardian started";
    "audit.pruned": EventLogActivity "Delete" Medium Done ("audit log" "log") "rows of the audit were let go";
    "audit.accepted": EventLogActivity "Accept" High Done ("audit log" "log") "a changed audit log was accepted by an operator";
    "audit.resumed": EventLogActivity "Restart" High Done ("audit log" "") "the audit is written again after an outage";
    "siem.events_cut": EventLogActivity "Delete" High Done ("audit log" "log") "rows were let go that a SIEM destination never got";
    "anomaly.denial_burst": DetectionFinding "Create" High Alert ("agent" "agent_id") "an agent was denied many calls in a short time";
    // Sent for trial, and in no log.
    "siem.test": BaseEvent "Test" Informational Done ("SIEM destination" "destination_id") "an event for trial";
    "facts": BaseEvent "Facts" Informational Done ("facts" "digest") "what decisions rest on that name this digest";
}

impl KindRow {
    /// Returns the form in which rows of this kind are sent. A kind of another version is sent too, as something
    /// without a word here.
    pub(super) fn of(kind: &str) -> Self {
        const OTHER: KindRow = KindRow {
            kind: "",
            class: BaseEvent,
            activity: "Other",
            severity: Informational,
            outcome: Done,
            of: "audit log",
            named_by: "",
            says: "what this version of the Guardian has no word for",
        };
        ROWS.iter().find(|row| row.kind == kind).copied().unwrap_or(OTHER)
    }
}
