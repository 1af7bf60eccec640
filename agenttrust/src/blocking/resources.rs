//! The client's resources without `.await`.

use std::time::Duration;

use super::wait;
use crate::client::{
    AgentTrustClient, ApiSessionOptions, ApprovalFilter, BoundSession, CheckOptions, CheckResponse,
    DecisionOptions, DelegationFilter, ForwardedProof, IssueOptions, Page, SessionFilter,
    TokenFilter,
};
use crate::error::Result;
use crate::model::{
    ActionCheckRequest, Agent, Approval, ApprovalDecision, CheckResult, CreateAgentRequest,
    CreateDelegationRequest, Delegation, Floor, InitSessionRequest, IntrospectTokenRequest,
    IntrospectionResult, IssueTokenRequest, IssuedToken, Session, SetFloorRequest, TakenBack,
    TelemetryEvent, TelemetryReceipt, Token, UpdateAgentRequest,
};

/// Declares resources whose calls wait for the async ones of the same names. What is borrowed comes first, what is
/// not after a `;`.
macro_rules! resources {
    ($(
        $(#[$about:meta])*
        $name:ident by $resource:ident {
            $(
                $(#[$told:meta])*
                fn $call:ident(
                    &self $(, $lent:ident: &$of:ty)* $(; $given:ident: $what:ty)*
                ) -> $answer:ty;
            )*
        }
    )*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name<'a> {
                client: &'a AgentTrustClient,
            }

            impl<'a> $name<'a> {
                pub(super) fn new(client: &'a AgentTrustClient) -> Self {
                    Self { client }
                }

                $(
                    $(#[$told])*
                    pub fn $call(&self $(, $lent: &$of)* $(, $given: $what)*) -> Result<$answer> {
                        let client = self.client.clone();
                        $( let $lent = <$of as ToOwned>::to_owned($lent); )*
                        wait(async move { client.$resource().$call($( &$lent, )* $( $given, )*).await })
                    }
                )*
            }
        )*
    };
}

pub(super) use resources;

resources! {
    /// Registering, listing, changing, suspending and revoking agents, and their floors; the async one is
    /// [`crate::client::Agents`].
    Agents by agents {
        /// Registers an agent and returns it, with a generated key pair if it brings none.
        ///
        /// # Errors
        ///
        /// As for the async [`create`](crate::client::Agents::create).
        fn create(&self, request: &CreateAgentRequest) -> Agent;

        /// Returns every agent of the key's organisation.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Agents::list).
        fn list(&self) -> Vec<Agent>;

        /// Returns the agent with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::Agents::get).
        fn get(&self, agent_id: &str) -> Agent;

        /// Changes an agent and returns it as it is now.
        ///
        /// # Errors
        ///
        /// As for the async [`update`](crate::client::Agents::update).
        fn update(&self, agent_id: &str, request: &UpdateAgentRequest) -> Agent;

        /// Revokes an agent for good, with its tokens and sessions.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke`](crate::client::Agents::revoke).
        fn revoke(&self, agent_id: &str, reason: &str) -> ();

        /// Revokes an agent as [`revoke`](Self::revoke) does, and says whether that is stored.
        ///
        /// # Errors
        ///
        /// As for the async [`take_back`](crate::client::Agents::take_back).
        fn take_back(&self, agent_id: &str, reason: &str) -> TakenBack;

        /// Suspends an agent until it is reactivated.
        ///
        /// # Errors
        ///
        /// As for the async [`suspend`](crate::client::Agents::suspend).
        fn suspend(&self, agent_id: &str, reason: &str) -> ();

        /// Lifts the suspension of an agent.
        ///
        /// # Errors
        ///
        /// As for the async [`reactivate`](crate::client::Agents::reactivate).
        fn reactivate(&self, agent_id: &str, reason: &str) -> ();

        /// Sets what applies to every session of an agent, and returns it.
        ///
        /// # Errors
        ///
        /// As for the async [`set_floor`](crate::client::Agents::set_floor).
        fn set_floor(&self, agent_id: &str, request: &SetFloorRequest) -> Floor;
    }

    /// Issuing, introspecting, listing and revoking tokens; the async one is [`crate::client::Tokens`].
    ///
    /// The stream of [`revocations`](crate::client::Tokens::revocations) has no mirror here: what listens
    /// while it serves is no blocking call. A plain thread can read the async one with any executor.
    Tokens by tokens {
        /// Issues a token, or returns a cached one.
        ///
        /// # Errors
        ///
        /// As for the async [`issue`](crate::client::Tokens::issue).
        fn issue(&self, request: &IssueTokenRequest) -> Token;

        /// Does the same as [`issue`](Self::issue), with more.
        ///
        /// # Errors
        ///
        /// As for the async [`issue_with`](crate::client::Tokens::issue_with).
        fn issue_with(&self, request: &IssueTokenRequest; options: IssueOptions) -> Token;

        /// Returns what a token is worth right now.
        ///
        /// # Errors
        ///
        /// As for the async [`introspect`](crate::client::Tokens::introspect).
        fn introspect(&self, request: &IntrospectTokenRequest) -> IntrospectionResult;

        /// Revokes a token at once.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke`](crate::client::Tokens::revoke).
        fn revoke(&self, token: &str, reason: &str) -> ();

        /// Returns the tokens that match `filter`, newest first, a page at a time.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Tokens::list).
        fn list(&self, filter: &TokenFilter) -> Page<IssuedToken>;

        /// Revokes the token of this id, with all that was made from it.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke_by_id`](crate::client::Tokens::revoke_by_id).
        fn revoke_by_id(&self, token_id: &str, reason: &str) -> ();
    }

    /// Checking actions; the async one is [`crate::client::Actions`].
    Actions by actions {
        /// Asks whether an action may run.
        ///
        /// # Errors
        ///
        /// As for the async [`check`](crate::client::Actions::check).
        fn check(&self, request: &ActionCheckRequest) -> CheckResult;

        /// Does the same as [`check`](Self::check), with more.
        ///
        /// # Errors
        ///
        /// As for the async [`check_with`](crate::client::Actions::check_with).
        fn check_with(&self, request: &ActionCheckRequest, options: &CheckOptions) -> CheckResponse;
    }

    /// Opening, reading, listing and revoking sessions; the async one is [`crate::client::Sessions`].
    Sessions by sessions {
        /// Opens a session of an agent with a server.
        ///
        /// # Errors
        ///
        /// As for the async [`init_session`](crate::client::Sessions::init_session).
        fn init_session(&self, agent_id: &str, server_id: &str) -> Session;

        /// Opens a session and tightens it.
        ///
        /// # Errors
        ///
        /// As for the async [`init_session_with`](crate::client::Sessions::init_session_with).
        fn init_session_with(&self, request: &InitSessionRequest) -> Session;

        /// Returns the session with this id, with its counters.
        ///
        /// # Errors
        ///
        /// As for the async [`get_session`](crate::client::Sessions::get_session).
        fn get_session(&self, session_id: &str) -> Session;

        /// Opens a session from a token.
        ///
        /// # Errors
        ///
        /// As for the async [`init_api_session`](crate::client::Sessions::init_api_session).
        fn init_api_session(&self, token: &str) -> Session;

        /// Opens a session from a token, and says where that is used.
        ///
        /// # Errors
        ///
        /// As for the async [`init_api_session_with`](crate::client::Sessions::init_api_session_with).
        fn init_api_session_with(&self, token: &str, options: &ApiSessionOptions) -> Session;

        /// Opens a session from a workload token that is bound to a key, for a server that agents come to with such
        /// tokens.
        ///
        /// # Errors
        ///
        /// As for the async [`init_bound_session`](crate::client::Sessions::init_bound_session).
        fn init_bound_session(&self, token: &str, proof: &ForwardedProof, options: &ApiSessionOptions) -> BoundSession;

        /// Returns the issued sessions that match `filter`, newest first, a page at a time.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Sessions::list).
        fn list(&self, filter: &SessionFilter) -> Page<Session>;

        /// Revokes a session, with all that was made from it.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke`](crate::client::Sessions::revoke).
        fn revoke(&self, session_id: &str, reason: &str) -> ();
    }

    /// Letting one agent do part of what another one may do; the async one is [`crate::client::Delegations`].
    Delegations by delegations {
        /// Lets an agent do part of what another one may do, for a while.
        ///
        /// # Errors
        ///
        /// As for the async [`create`](crate::client::Delegations::create).
        fn create(&self, request: &CreateDelegationRequest) -> Delegation;

        /// Returns the delegations that the key may see, newest first, at most 1,000.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Delegations::list).
        fn list(&self) -> Vec<Delegation>;

        /// Returns the delegations that match `filter`, newest first, a page at a time.
        ///
        /// # Errors
        ///
        /// As for the async [`list_with`](crate::client::Delegations::list_with).
        fn list_with(&self, filter: &DelegationFilter) -> Page<Delegation>;

        /// Returns the delegation with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::Delegations::get).
        fn get(&self, delegation_id: &str) -> Delegation;

        /// Revokes a delegation, with all that was made from it.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke`](crate::client::Delegations::revoke).
        fn revoke(&self, delegation_id: &str) -> ();

        /// Revokes a delegation as [`revoke`](Self::revoke) does, and says whether that is stored.
        ///
        /// # Errors
        ///
        /// As for the async [`take_back`](crate::client::Delegations::take_back).
        fn take_back(&self, delegation_id: &str) -> TakenBack;

        /// Opens a session in which the agent that was given to may do what the delegation gives.
        ///
        /// # Errors
        ///
        /// As for the async [`init_session`](crate::client::Delegations::init_session).
        fn init_session(&self, delegation_id: &str) -> Session;
    }

    /// Reading, deciding and waiting for approvals; the async one is [`crate::client::Approvals`].
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use agenttrust::blocking::AgentTrustClient;
    ///
    /// # fn example(operator: AgentTrustClient, agent: AgentTrustClient) -> agenttrust::Result<()> {
    /// operator.approvals().approve("apr_1", "alice")?;
    /// let approval = agent.approvals().wait("apr_1", Duration::from_secs(60))?;
    /// println!("{} is {}", approval.id, approval.status);
    /// # Ok(())
    /// # }
    /// ```
    Approvals by approvals {
        /// Approves a held action.
        ///
        /// # Errors
        ///
        /// As for the async [`approve`](crate::client::Approvals::approve).
        fn approve(&self, approval_id: &str, decided_by: &str) -> ();

        /// Denies a held action.
        ///
        /// # Errors
        ///
        /// As for the async [`deny`](crate::client::Approvals::deny).
        fn deny(&self, approval_id: &str, decided_by: &str) -> ();

        /// Approves a held action, and says why.
        ///
        /// # Errors
        ///
        /// As for the async [`approve_with`](crate::client::Approvals::approve_with).
        fn approve_with(&self, approval_id: &str, options: &DecisionOptions) -> ApprovalDecision;

        /// Denies a held action, and says why.
        ///
        /// # Errors
        ///
        /// As for the async [`deny_with`](crate::client::Approvals::deny_with).
        fn deny_with(&self, approval_id: &str, options: &DecisionOptions) -> ApprovalDecision;

        /// Returns the approval with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::Approvals::get).
        fn get(&self, approval_id: &str) -> Approval;

        /// Returns the approvals that match `filter`, newest first.
        ///
        /// # Errors
        ///
        /// As for the async [`list`](crate::client::Approvals::list).
        fn list(&self, filter: &ApprovalFilter) -> Vec<Approval>;

        /// Waits until the approval is no longer pending, at most `limit`.
        ///
        /// # Errors
        ///
        /// As for the async [`wait`](crate::client::Approvals::wait).
        fn wait(&self, approval_id: &str; limit: Duration) -> Approval;
    }

    /// Reporting what ran; the async one is [`crate::client::Telemetry`].
    Telemetry by telemetry {
        /// Reports a batch of events.
        ///
        /// # Errors
        ///
        /// As for the async [`report`](crate::client::Telemetry::report).
        fn report(&self, agent_id: &str, session_id: &str, events: &[TelemetryEvent]) -> TelemetryReceipt;

        /// Does the same as [`report`](Self::report), with the check that each event belongs to, in the same order.
        ///
        /// # Errors
        ///
        /// As for the async [`report_checked`](crate::client::Telemetry::report_checked).
        fn report_checked(&self, agent_id: &str, session_id: &str, events: &[TelemetryEvent], check_ids: &[Option<String>]) -> TelemetryReceipt;
    }
}
