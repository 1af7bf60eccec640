//! [`AgentTrustClient`]: every resource of the SDK guide, one file each.

mod a2a;
mod a2a_options;
mod a2a_rpc;
mod access;
mod actions;
mod agent_cards;
mod agents;
mod approvals;
mod audit;
mod body_stream;
mod builder;
mod cache;
mod credentials;
mod delegations;
mod export;
mod federation;
mod health;
mod inbox;
mod issued;
mod json_rpc;
mod keys;
mod mcp;
mod path;
mod policies;
mod polls;
mod redirects;
mod request;
mod revocations;
mod sessions;
mod sse;
mod streaming;
mod task_events;
mod telemetry;
mod tokens;
mod tools;
mod webhooks;
mod wimse;

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

pub use self::a2a::A2a;
pub use self::a2a_options::{SendMessageOptions, SendTaskOptions, TaskFilter};
pub use self::access::{Access, AccessOptions};
pub use self::actions::{Actions, CheckOptions, CheckResponse};
pub use self::agent_cards::AgentCards;
pub use self::agents::Agents;
pub use self::approvals::{ApprovalFilter, Approvals, DecisionOptions};
pub use self::audit::{Audit, AuditFilter, CheckpointFilter};
pub use self::builder::AgentTrustClientBuilder;
pub use self::credentials::AgentCredentials;
pub use self::delegations::{DelegationFilter, Delegations};
pub use self::export::AuditExport;
pub use self::federation::{FederatedTokenOptions, Federation, RegisterFederationProviderOptions};
pub use self::inbox::Inbox;
pub use self::issued::{Page, SessionFilter, TokenFilter};
pub use self::keys::{Keys, RevokeKeyOptions};
pub use self::mcp::{Mcp, RegisterMcpServerOptions};
pub use self::policies::Policies;
pub use self::polls::StreamFilter;
pub use self::revocations::Revocations;
pub use self::sessions::{ApiSessionOptions, BoundSession, ForwardedProof, Sessions};
pub use self::streaming::{SiemDestinationOptions, Streaming};
pub use self::task_events::TaskEvents;
pub use self::telemetry::Telemetry;
pub use self::tokens::{IssueOptions, Tokens};
pub use self::tools::Tools;
pub use self::webhooks::{DeliveryFilter, Webhooks};
pub use self::wimse::Wimse;

pub(crate) use self::actions::refuse_scopes;
pub(crate) use self::polls::Polls;
pub(crate) use self::request::Failed;
pub(crate) use self::wimse::proven;

use self::cache::TokenCache;
use crate::error::Result;
use crate::transport::Transport;

/// A client of one Guardian gateway. Cloning is cheap, and clones share connections and the token
/// cache.
///
/// ```no_run
/// use agenttrust::AgentTrustClient;
///
/// # async fn example() -> Result<(), agenttrust::AgentTrustError> {
/// let client = AgentTrustClient::builder()
///     .base_url("http://localhost:8080")
///     .api_key("sk_live_...")
///     .build()?;
/// for agent in client.agents().list().await? {
///     println!("{} ({})", agent.name, agent.status);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Deadlines
///
/// Every request has one, [`timeout`](AgentTrustClientBuilder::timeout) by default 30 seconds. It is
/// kept on a background runtime, so that the caller's needs no timers. The default HTTP transport
/// drives its connections on the calling tokio runtime, which must have I/O and time enabled;
/// outside of any tokio runtime it uses the background one.
///
/// # Cancel safety
///
/// A request that is dropped may or may not have reached the gateway.
#[derive(Clone)]
pub struct AgentTrustClient {
    inner: Arc<Inner>,
    credentials: Option<AgentCredentials>,
}

struct Inner {
    transport: Transport,
    base_url: String,
    api_key: Option<HeaderValue>,
    default_headers: HeaderMap,
    timeout: Duration,
    inputs_stay_here: bool,
    tokens: TokenCache,
    /// Whether it was said that a Guardian skips something of what is sent.
    said_ignored: Once,
}

impl AgentTrustClient {
    /// Starts a client with explicit settings; what is not set comes from no environment variable.
    pub fn builder() -> AgentTrustClientBuilder {
        AgentTrustClientBuilder::default()
    }

    /// Creates a client with the settings of the environment: `AGENTTRUST_URL`, else `AGENTTRUST_BASE_URL`,
    /// else `http://localhost:8080`; and `AGENTTRUST_API_KEY`. A variable that is empty is unset.
    ///
    /// Without a key the client is built, and every request is answered with 401 (SDK guide, FAQ).
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) when a variable holds no URL, or a key that
    /// no header can carry.
    pub fn from_env() -> Result<Self> {
        AgentTrustClientBuilder::from_env().build()
    }

    /// Returns the gateway's address, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// Sends these credentials, with a fresh proof, with every check of the agent that they are of: by
    /// [`actions`](Self::actions), and by guards that are built with the client that this returns. They come beside the
    /// API key. Checks of other agents go as before.
    ///
    /// What keeps a token from being issued keeps the check from being made, and nothing runs for it. Only where no
    /// connection could be made at all is the Guardian unreachable, as it is to the check itself: a guard that fails
    /// open does so then.
    #[must_use]
    pub fn with_agent_credentials(mut self, credentials: AgentCredentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Returns the client as it was before it was given credentials.
    fn without_agent_credentials(mut self) -> Self {
        self.credentials = None;
        self
    }

    /// Returns whether what the Guardian is shown stays on this machine and out of others' reach.
    pub(crate) fn inputs_stay_here(&self) -> bool {
        self.inner.inputs_stay_here
    }

    /// Returns the resource for registering, listing, suspending and revoking agents, and setting their floors.
    #[must_use]
    pub fn agents(&self) -> Agents<'_> {
        Agents::new(self)
    }

    /// Returns the resource for issuing, introspecting, listing and revoking tokens.
    #[must_use]
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(self)
    }

    /// Returns the resource for evaluating access as AuthZEN has it, and requesting what was denied.
    #[must_use]
    pub fn access(&self) -> Access<'_> {
        Access::new(self)
    }

    /// Returns the resource for checking an action before it runs.
    #[must_use]
    pub fn actions(&self) -> Actions<'_> {
        Actions::new(self)
    }

    /// Returns the resource for opening, reading, listing and revoking sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(self)
    }

    /// Returns the resource for letting one agent do part of what another one may do.
    #[must_use]
    pub fn delegations(&self) -> Delegations<'_> {
        Delegations::new(self)
    }

    /// Returns the resource for generating, reading and publishing what agents tell others of themselves.
    #[must_use]
    pub fn agent_cards(&self) -> AgentCards<'_> {
        AgentCards::new(self)
    }

    /// Returns the resource for registering MCP servers, and calling their tools through the Guardian.
    #[must_use]
    pub fn mcp(&self) -> Mcp<'_> {
        Mcp::new(self)
    }

    /// Returns the resource for sending messages and tasks to other agents through the Guardian.
    #[must_use]
    pub fn a2a(&self) -> A2a<'_> {
        A2a::new(self)
    }

    /// Returns the resource for fetching what is asked of an agent that has no endpoint of its own.
    #[must_use]
    pub fn inbox(&self, agent_id: &str) -> Inbox {
        Inbox::new(self, agent_id)
    }

    /// Returns the resource for reading, deciding and waiting for approvals.
    #[must_use]
    pub fn approvals(&self) -> Approvals<'_> {
        Approvals::new(self)
    }

    /// Returns the resource for reporting what ran.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry<'_> {
        Telemetry::new(self)
    }

    /// Returns the resource for declaring what a program can do, and saying what a tool counts as.
    #[must_use]
    pub fn tools(&self) -> Tools<'_> {
        Tools::new(self)
    }

    /// Returns the resource for making, listing, rotating and revoking API keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(self)
    }

    /// Returns the resource for reading the policies in force, and putting others in their place.
    #[must_use]
    pub fn policies(&self) -> Policies<'_> {
        Policies::new(self)
    }

    /// Returns the resource for reading, verifying and exporting the audit.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(self)
    }

    /// Returns the resource for registering other issuers of tokens, introspecting their tokens, and opening sessions
    /// by them.
    #[must_use]
    pub fn federation(&self) -> Federation<'_> {
        Federation::new(self)
    }

    /// Returns the resource for issuing and verifying tokens that say which agent a workload is.
    #[must_use]
    pub fn wimse(&self) -> Wimse<'_> {
        Wimse::new(self)
    }

    /// Returns the resource for streaming what the audit says to SIEMs, and what became of it there.
    #[must_use]
    pub fn streaming(&self) -> Streaming<'_> {
        Streaming::new(self)
    }

    /// Returns the resource for registering, listing and deleting webhooks, and what became of their messages.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks::new(self)
    }
}

impl fmt::Debug for AgentTrustClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTrustClient")
            .field("base_url", &self.inner.base_url)
            .field("timeout", &self.inner.timeout)
            .finish_non_exhaustive()
    }
}
