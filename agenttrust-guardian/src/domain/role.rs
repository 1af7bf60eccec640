//! Who may do what: the five roles and the one table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The role of an API key, which says what the key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The role that checks and reports as the agents it is bound to, and reads what is theirs.
    Agent,
    /// The role that checks for any agent, only inside a live session made from that agent's token.
    Gateway,
    /// The role that reads everything, verifies and exports the audit.
    Auditor,
    /// An auditor who decides approvals, suspends and revokes agents and sets floors.
    Operator,
    /// The role that may do everything.
    Admin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 5] =
        [Self::Agent, Self::Gateway, Self::Auditor, Self::Operator, Self::Admin];

    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Gateway => "gateway",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Returns how far this role may go with `permission`: the table of the protocol.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    pub(crate) const fn may(self, permission: Permission) -> Access {
        use Access::{Any, No, Own};
        use Permission as P;
        match (self, permission) {
            (Self::Admin, _) => Any,

            (
                Self::Agent,
                P::Check
                | P::Report
                | P::InitSession
                | P::InitApiSession
                | P::ReadSessions
                | P::RevokeSessions
                | P::IssueTokens
                | P::IntrospectTokens
                | P::ReadTokens
                | P::RevokeTokens
                | P::ReadAgents
                | P::ReadApprovals
                | P::DiscloseInput
                | P::DeclareTools
                | P::ReadTools
                | P::Delegate
                | P::ReadDelegations
                | P::RevokeDelegations
                | P::ReadMcpServers
                | P::SendTasks
                | P::ReadTasks
                | P::WorkInbox,
            ) => Own,

            (
                Self::Gateway,
                P::Check
                | P::Report
                | P::InitApiSession
                | P::IntrospectTokens
                | P::WatchRevocations
                | P::ReadMcpServers
                | P::SendTasks,
            ) => Any,
            (
                Self::Gateway,
                P::ReadApprovals | P::DiscloseInput | P::ReadSessions | P::ReadTasks,
            ) => Own,
            (Self::Gateway, _) => No,

            (
                Self::Auditor | Self::Operator,
                P::ReadAgents
                | P::ReadSessions
                | P::ReadApprovals
                | P::ReadAudit
                | P::ReadTools
                | P::ReadMetrics
                | P::ReadWebhooks
                | P::ReadSiem
                | P::ReadPolicies
                | P::IntrospectTokens
                | P::ReadTokens
                | P::ReadDelegations
                | P::ReadMcpServers
                | P::ReadTasks
                | P::ReadFederation
                | P::WatchRevocations,
            ) => Any,
            (Self::Auditor, _) => No,

            (
                Self::Operator,
                P::DecideApprovals
                | P::SuspendAgents
                | P::RevokeTokens
                | P::RevokeSessions
                | P::SetFloors
                | P::SetEffects
                | P::DeclareTools
                | P::RemoveTools
                | P::Delegate
                | P::RevokeDelegations
                | P::AcceptMcpTools
                | P::ManageCards
                | P::SendTasks,
            ) => Any,
            (Self::Agent | Self::Operator, _) => No,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| ParseRoleError { word: word.chars().take(40).collect() })
    }
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {word:?}; use agent, gateway, auditor, operator or admin")]
pub struct ParseRoleError {
    word: String,
}

/// The permission that an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Check,
    Report,
    CreateAgents,
    ChangeAgents,
    ReadAgents,
    SuspendAgents,
    SetFloors,
    SetEffects,
    DeclareTools,
    ReadTools,
    RemoveTools,
    IssueTokens,
    IntrospectTokens,
    ReadTokens,
    RevokeTokens,
    WatchRevocations,
    InitSession,
    InitApiSession,
    ReadSessions,
    RevokeSessions,
    Delegate,
    ReadDelegations,
    RevokeDelegations,
    ReadMcpServers,
    ManageMcpServers,
    AcceptMcpTools,
    ManageCards,
    RotateCardKeys,
    SendTasks,
    ReadTasks,
    WorkInbox,
    ReadFederation,
    ManageFederation,
    ReadApprovals,
    DecideApprovals,
    DiscloseInput,
    ReadWebhooks,
    ManageWebhooks,
    ReadSiem,
    ManageSiem,
    ManageKeys,
    ReadPolicies,
    ManagePolicies,
    ReadAudit,
    ReadMetrics,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check actions",
            Self::Report => "report what ran",
            Self::CreateAgents => "register agents",
            Self::ChangeAgents => "change agents",
            Self::ReadAgents => "read agents",
            Self::SuspendAgents => "suspend or revoke agents",
            Self::SetFloors => "set the floor of an agent",
            Self::SetEffects => "set the effect of a tool",
            Self::DeclareTools => "declare tools",
            Self::ReadTools => "read declared tools",
            Self::RemoveTools => "remove declared tools",
            Self::IssueTokens => "issue tokens",
            Self::IntrospectTokens => "introspect tokens",
            Self::ReadTokens => "list tokens",
            Self::RevokeTokens => "revoke tokens",
            Self::WatchRevocations => "watch revocations",
            Self::InitSession => "open a session",
            Self::InitApiSession => "open a session from a token",
            Self::ReadSessions => "read sessions",
            Self::RevokeSessions => "revoke sessions",
            Self::Delegate => "delegate",
            Self::ReadDelegations => "read delegations",
            Self::RevokeDelegations => "revoke delegations",
            Self::ReadMcpServers => "read MCP servers",
            Self::ManageMcpServers => "manage MCP servers",
            Self::AcceptMcpTools => "accept tools of MCP servers",
            Self::ManageCards => "generate or publish agent cards",
            Self::RotateCardKeys => "rotate the keys that sign agent cards",
            Self::SendTasks => "send tasks",
            Self::ReadTasks => "read tasks",
            Self::WorkInbox => "work on an inbox",
            Self::ReadFederation => "read federation providers",
            Self::ManageFederation => "manage federation providers",
            Self::ReadApprovals => "read approvals",
            Self::DecideApprovals => "decide approvals",
            Self::DiscloseInput => "disclose an input",
            Self::ReadWebhooks => "read webhooks",
            Self::ManageWebhooks => "manage webhooks",
            Self::ReadSiem => "read SIEM destinations",
            Self::ManageSiem => "manage SIEM destinations",
            Self::ManageKeys => "manage keys",
            Self::ReadPolicies => "read policies",
            Self::ManagePolicies => "manage policies",
            Self::ReadAudit => "read the audit",
            Self::ReadMetrics => "read the metrics",
        })
    }
}

/// The extent of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The caller has no such permission.
    No,
    /// The caller has it for the agents the key is bound to, for what the key itself asked, and for the sessions that
    /// were opened at its gateway; what it declares can only raise the effect of tools that these agents may use, for
    /// them alone.
    Own,
    /// The caller has it for every agent of the organisation.
    Any,
}
