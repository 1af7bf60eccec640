//! The client's resources without `.await`.

use std::time::Duration;

use super::wait;
use crate::client::{AgentTrustClient, ApprovalFilter, CheckOptions, CheckResponse, IssueOptions};
use crate::error::Result;
use crate::model::{
    ActionCheckRequest, Agent, Approval, CheckResult, CreateAgentRequest, InitSessionRequest,
    IntrospectTokenRequest, IntrospectionResult, IssueTokenRequest, Session, TelemetryEvent,
    TelemetryReceipt, Token, ToolDeclaration, ToolManifest,
};

/// Registering, listing and revoking agents; the async one is [`crate::client::Agents`].
#[derive(Clone, Copy, Debug)]
pub struct Agents<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Agents<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Registers an agent and returns it, with a generated key pair if it brings none.
    ///
    /// # Errors
    ///
    /// As for the async [`create`](crate::client::Agents::create).
    pub fn create(&self, request: &CreateAgentRequest) -> Result<Agent> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.agents().create(&request).await })
    }

    /// Every agent of the key's organisation.
    ///
    /// # Errors
    ///
    /// As for the async [`list`](crate::client::Agents::list).
    pub fn list(&self) -> Result<Vec<Agent>> {
        let client = self.client.clone();
        wait(async move { client.agents().list().await })
    }

    /// The agent with this id.
    ///
    /// # Errors
    ///
    /// As for the async [`get`](crate::client::Agents::get).
    pub fn get(&self, agent_id: &str) -> Result<Agent> {
        let (client, agent_id) = (self.client.clone(), agent_id.to_owned());
        wait(async move { client.agents().get(&agent_id).await })
    }

    /// Revokes an agent for good, with its tokens and sessions.
    ///
    /// # Errors
    ///
    /// As for the async [`revoke`](crate::client::Agents::revoke).
    pub fn revoke(&self, agent_id: &str, reason: &str) -> Result<()> {
        let (client, agent_id, reason) =
            (self.client.clone(), agent_id.to_owned(), reason.to_owned());
        wait(async move { client.agents().revoke(&agent_id, &reason).await })
    }
}

/// Issuing, introspecting and revoking tokens; the async one is [`crate::client::Tokens`].
///
/// The stream of [`revocations`](crate::client::Tokens::revocations) has no mirror here: what listens
/// while it serves is no blocking call. A plain thread can read the async one with any executor.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Issues a token, or returns a cached one.
    ///
    /// # Errors
    ///
    /// As for the async [`issue`](crate::client::Tokens::issue).
    pub fn issue(&self, request: &IssueTokenRequest) -> Result<Token> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.tokens().issue(&request).await })
    }

    /// As [`issue`](Self::issue), with more.
    ///
    /// # Errors
    ///
    /// As for the async [`issue_with`](crate::client::Tokens::issue_with).
    pub fn issue_with(&self, request: &IssueTokenRequest, options: IssueOptions) -> Result<Token> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.tokens().issue_with(&request, options).await })
    }

    /// What a token is worth right now.
    ///
    /// # Errors
    ///
    /// As for the async [`introspect`](crate::client::Tokens::introspect).
    pub fn introspect(&self, request: &IntrospectTokenRequest) -> Result<IntrospectionResult> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.tokens().introspect(&request).await })
    }

    /// Revokes a token at once.
    ///
    /// # Errors
    ///
    /// As for the async [`revoke`](crate::client::Tokens::revoke).
    pub fn revoke(&self, token: &str, reason: &str) -> Result<()> {
        let (client, token, reason) = (self.client.clone(), token.to_owned(), reason.to_owned());
        wait(async move { client.tokens().revoke(&token, &reason).await })
    }
}

/// Checking actions; the async one is [`crate::client::Actions`].
#[derive(Clone, Copy, Debug)]
pub struct Actions<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Actions<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Asks whether an action may run.
    ///
    /// # Errors
    ///
    /// As for the async [`check`](crate::client::Actions::check).
    pub fn check(&self, request: &ActionCheckRequest) -> Result<CheckResult> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.actions().check(&request).await })
    }

    /// As [`check`](Self::check), with more.
    ///
    /// # Errors
    ///
    /// As for the async [`check_with`](crate::client::Actions::check_with).
    pub fn check_with(
        &self,
        request: &ActionCheckRequest,
        options: &CheckOptions,
    ) -> Result<CheckResponse> {
        let (client, request, options) = (self.client.clone(), request.clone(), options.clone());
        wait(async move { client.actions().check_with(&request, &options).await })
    }
}

/// Opening and reading sessions; the async one is [`crate::client::Sessions`].
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Opens a session of an agent with a server.
    ///
    /// # Errors
    ///
    /// As for the async [`init_session`](crate::client::Sessions::init_session).
    pub fn init_session(&self, agent_id: &str, server_id: &str) -> Result<Session> {
        let (client, agent_id, server_id) =
            (self.client.clone(), agent_id.to_owned(), server_id.to_owned());
        wait(async move { client.sessions().init_session(&agent_id, &server_id).await })
    }

    /// Opens a session and tightens it.
    ///
    /// # Errors
    ///
    /// As for the async [`init_session_with`](crate::client::Sessions::init_session_with).
    pub fn init_session_with(&self, request: &InitSessionRequest) -> Result<Session> {
        let (client, request) = (self.client.clone(), request.clone());
        wait(async move { client.sessions().init_session_with(&request).await })
    }

    /// The session with this id, with its counters.
    ///
    /// # Errors
    ///
    /// As for the async [`get_session`](crate::client::Sessions::get_session).
    pub fn get_session(&self, session_id: &str) -> Result<Session> {
        let (client, session_id) = (self.client.clone(), session_id.to_owned());
        wait(async move { client.sessions().get_session(&session_id).await })
    }

    /// Opens a session from a token.
    ///
    /// # Errors
    ///
    /// As for the async [`init_api_session`](crate::client::Sessions::init_api_session).
    pub fn init_api_session(&self, token: &str) -> Result<Session> {
        let (client, token) = (self.client.clone(), token.to_owned());
        wait(async move { client.sessions().init_api_session(&token).await })
    }
}

/// Reading, deciding and waiting for approvals; the async one is [`crate::client::Approvals`].
#[derive(Clone, Copy, Debug)]
pub struct Approvals<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Approvals<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Approves a held action.
    ///
    /// # Errors
    ///
    /// As for the async [`approve`](crate::client::Approvals::approve).
    pub fn approve(&self, approval_id: &str, decided_by: &str) -> Result<()> {
        let (client, approval_id, decided_by) =
            (self.client.clone(), approval_id.to_owned(), decided_by.to_owned());
        wait(async move { client.approvals().approve(&approval_id, &decided_by).await })
    }

    /// Denies a held action.
    ///
    /// # Errors
    ///
    /// As for the async [`deny`](crate::client::Approvals::deny).
    pub fn deny(&self, approval_id: &str, decided_by: &str) -> Result<()> {
        let (client, approval_id, decided_by) =
            (self.client.clone(), approval_id.to_owned(), decided_by.to_owned());
        wait(async move { client.approvals().deny(&approval_id, &decided_by).await })
    }

    /// The approval with this id.
    ///
    /// # Errors
    ///
    /// As for the async [`get`](crate::client::Approvals::get).
    pub fn get(&self, approval_id: &str) -> Result<Approval> {
        let (client, approval_id) = (self.client.clone(), approval_id.to_owned());
        wait(async move { client.approvals().get(&approval_id).await })
    }

    /// The approvals that match `filter`, newest first.
    ///
    /// # Errors
    ///
    /// As for the async [`list`](crate::client::Approvals::list).
    pub fn list(&self, filter: &ApprovalFilter) -> Result<Vec<Approval>> {
        let (client, filter) = (self.client.clone(), filter.clone());
        wait(async move { client.approvals().list(&filter).await })
    }

    /// Waits until the approval is no longer pending, at most `limit`.
    ///
    /// # Errors
    ///
    /// As for the async [`wait`](crate::client::Approvals::wait).
    pub fn wait(&self, approval_id: &str, limit: Duration) -> Result<Approval> {
        let (client, approval_id) = (self.client.clone(), approval_id.to_owned());
        wait(async move { client.approvals().wait(&approval_id, limit).await })
    }
}

/// Reporting what ran; the async one is [`crate::client::Telemetry`].
#[derive(Clone, Copy, Debug)]
pub struct Telemetry<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Telemetry<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Reports a batch of events.
    ///
    /// # Errors
    ///
    /// As for the async [`report`](crate::client::Telemetry::report).
    pub fn report(
        &self,
        agent_id: &str,
        session_id: &str,
        events: &[TelemetryEvent],
    ) -> Result<TelemetryReceipt> {
        let (client, agent_id, session_id, events) =
            (self.client.clone(), agent_id.to_owned(), session_id.to_owned(), events.to_vec());
        wait(async move { client.telemetry().report(&agent_id, &session_id, &events).await })
    }

    /// As [`report`](Self::report), with the check that each event belongs to, in the same order.
    ///
    /// # Errors
    ///
    /// As for the async [`report_checked`](crate::client::Telemetry::report_checked).
    pub fn report_checked(
        &self,
        agent_id: &str,
        session_id: &str,
        events: &[TelemetryEvent],
        check_ids: &[Option<String>],
    ) -> Result<TelemetryReceipt> {
        let (client, agent_id, session_id, events, check_ids) = (
            self.client.clone(),
            agent_id.to_owned(),
            session_id.to_owned(),
            events.to_vec(),
            check_ids.to_vec(),
        );
        wait(async move {
            client.telemetry().report_checked(&agent_id, &session_id, &events, &check_ids).await
        })
    }
}

/// Declaring what a program can do; the async one is [`crate::client::Tools`].
#[derive(Clone, Copy, Debug)]
pub struct Tools<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Tools<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Declares the tools of a program and returns what is in force for them.
    ///
    /// # Errors
    ///
    /// As for the async [`declare`](crate::client::Tools::declare).
    pub fn declare(&self, manifest: &ToolManifest) -> Result<Vec<ToolDeclaration>> {
        let (client, manifest) = (self.client.clone(), manifest.clone());
        wait(async move { client.tools().declare(&manifest).await })
    }

    /// Every tool that is declared in the key's organisation, ordered by name.
    ///
    /// # Errors
    ///
    /// As for the async [`list`](crate::client::Tools::list).
    pub fn list(&self) -> Result<Vec<ToolDeclaration>> {
        let client = self.client.clone();
        wait(async move { client.tools().list().await })
    }
}
