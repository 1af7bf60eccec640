//! The client without `.await`.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::a2a::A2a;
use super::access::Access;
use super::agent_cards::AgentCards;
use super::federation::Federation;
use super::inbox::Inbox;
use super::managing::{Audit, Keys, Policies, Tools, Webhooks};
use super::mcp::Mcp;
use super::resources::{Actions, Agents, Approvals, Delegations, Sessions, Telemetry, Tokens};
use super::streaming::Streaming;
use super::wait;
use super::wimse::{AgentCredentials, Wimse};
use crate::client as asynchronous;
use crate::error::Result;
use crate::model::Health;

/// A client of one Guardian gateway; the async one is [`crate::AgentTrustClient`].
///
/// ```no_run
/// use agenttrust::CreateAgentRequest;
/// use agenttrust::blocking::AgentTrustClient;
///
/// # fn main() -> Result<(), agenttrust::AgentTrustError> {
/// let client = AgentTrustClient::from_env()?;
/// let agent = client.agents().create(&CreateAgentRequest {
///     name: "research-bot".to_string(),
///     capabilities: vec!["web:search".to_string()],
///     ..Default::default()
/// })?;
/// println!("Agent ID: {}", agent.id);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AgentTrustClient {
    client: asynchronous::AgentTrustClient,
}

impl AgentTrustClient {
    /// Starts a client with explicit settings.
    pub fn builder() -> AgentTrustClientBuilder {
        AgentTrustClientBuilder { builder: asynchronous::AgentTrustClient::builder() }
    }

    /// Creates a client with the settings of the environment, as
    /// [`from_env`](asynchronous::AgentTrustClient::from_env) of the async one.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) when a variable holds no URL.
    pub fn from_env() -> Result<Self> {
        asynchronous::AgentTrustClient::from_env().map(Self::from)
    }

    /// Returns the async client behind this one; both share connections and the token cache.
    #[must_use]
    pub fn as_async(&self) -> &asynchronous::AgentTrustClient {
        &self.client
    }

    /// Sends these credentials with every check of the agent that they are of, as the async
    /// [`with_agent_credentials`](asynchronous::AgentTrustClient::with_agent_credentials).
    #[must_use]
    pub fn with_agent_credentials(self, credentials: AgentCredentials) -> Self {
        let credentials = credentials.as_async().clone();
        Self { client: self.client.with_agent_credentials(credentials) }
    }

    /// Returns how the gateway is. Needs no API key.
    ///
    /// # Errors
    ///
    /// As for the async [`health`](asynchronous::AgentTrustClient::health).
    pub fn health(&self) -> Result<Health> {
        let client = self.client.clone();
        wait(async move { client.health().await })
    }

    /// Returns the resource for registering, listing, suspending and revoking agents, and setting their floors.
    #[must_use]
    pub fn agents(&self) -> Agents<'_> {
        Agents::new(&self.client)
    }

    /// Returns the resource for issuing, introspecting and revoking tokens.
    #[must_use]
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(&self.client)
    }

    /// Returns the resource for evaluating access as AuthZEN has it, and requesting what was denied.
    #[must_use]
    pub fn access(&self) -> Access<'_> {
        Access::new(&self.client)
    }

    /// Returns the resource for checking an action before it runs.
    #[must_use]
    pub fn actions(&self) -> Actions<'_> {
        Actions::new(&self.client)
    }

    /// Returns the resource for opening and reading sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions::new(&self.client)
    }

    /// Returns the resource for letting one agent do part of what another one may do.
    #[must_use]
    pub fn delegations(&self) -> Delegations<'_> {
        Delegations::new(&self.client)
    }

    /// Returns the resource for generating, reading and publishing what agents tell others of themselves.
    #[must_use]
    pub fn agent_cards(&self) -> AgentCards<'_> {
        AgentCards::new(&self.client)
    }

    /// Returns the resource for registering MCP servers, and calling their tools through the Guardian.
    #[must_use]
    pub fn mcp(&self) -> Mcp<'_> {
        Mcp::new(&self.client)
    }

    /// Returns the resource for sending messages and tasks to other agents through the Guardian.
    #[must_use]
    pub fn a2a(&self) -> A2a<'_> {
        A2a::new(&self.client)
    }

    /// Returns the resource for fetching what is asked of an agent that has no endpoint of its own.
    #[must_use]
    pub fn inbox(&self, agent_id: &str) -> Inbox {
        Inbox::new(self.client.inbox(agent_id))
    }

    /// Returns the resource for reading, deciding and waiting for approvals.
    #[must_use]
    pub fn approvals(&self) -> Approvals<'_> {
        Approvals::new(&self.client)
    }

    /// Returns the resource for reporting what ran.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry<'_> {
        Telemetry::new(&self.client)
    }

    /// Returns the resource for declaring what a program can do, and saying what a tool counts as.
    #[must_use]
    pub fn tools(&self) -> Tools<'_> {
        Tools::new(&self.client)
    }

    /// Returns the resource for making, listing, rotating and revoking API keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(&self.client)
    }

    /// Returns the resource for reading the policies in force, and putting others in their place.
    #[must_use]
    pub fn policies(&self) -> Policies<'_> {
        Policies::new(&self.client)
    }

    /// Returns the resource for reading, verifying and exporting the audit.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(&self.client)
    }

    /// Returns the resource for registering other issuers of tokens, introspecting their tokens, and opening sessions
    /// by them.
    #[must_use]
    pub fn federation(&self) -> Federation<'_> {
        Federation::new(&self.client)
    }

    /// Returns the resource for issuing and verifying tokens that say which agent a workload is.
    #[must_use]
    pub fn wimse(&self) -> Wimse<'_> {
        Wimse::new(&self.client)
    }

    /// Returns the resource for streaming what the audit says to SIEMs, and what became of it there.
    #[must_use]
    pub fn streaming(&self) -> Streaming<'_> {
        Streaming::new(&self.client)
    }

    /// Returns the resource for registering, listing and deleting webhooks, and what became of their messages.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks::new(&self.client)
    }
}

impl From<asynchronous::AgentTrustClient> for AgentTrustClient {
    fn from(client: asynchronous::AgentTrustClient) -> Self {
        Self { client }
    }
}

/// Settings of a blocking client; as the async
/// [`AgentTrustClientBuilder`](asynchronous::AgentTrustClientBuilder).
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentTrustClientBuilder {
    builder: asynchronous::AgentTrustClientBuilder,
}

impl AgentTrustClientBuilder {
    /// Sets the gateway's address; `http://localhost:8080` by default.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.builder = self.builder.base_url(url);
        self
    }

    /// Sets the API key, `sk_live_…`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.builder = self.builder.api_key(key);
        self
    }

    /// Sends this header with every request, for what stands in front of the gateway.
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.builder = self.builder.default_header(name, value);
        self
    }

    /// Sets how long one request may take in all; 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.builder = self.builder.timeout(timeout);
        self
    }

    /// Sets whether tokens are kept and handed out again; they are by default.
    pub fn token_cache(mut self, on: bool) -> Self {
        self.builder = self.builder.token_cache(on);
        self
    }

    /// Sets whether the proxy of the environment is used; it is by `from_env` only.
    pub fn system_proxy(mut self, on: bool) -> Self {
        self.builder = self.builder.system_proxy(on);
        self
    }

    /// Sends requests through `service` instead of reqwest. It is polled on the background runtime.
    pub fn service<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.builder = self.builder.service(service);
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) when the base URL is not a URL.
    pub fn build(self) -> Result<AgentTrustClient> {
        self.builder.build().map(AgentTrustClient::from)
    }
}
