//! Agents: registering, listing, changing, suspending, revoking (SDK guide, section 3), and their floors.

use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use super::request::Call;
use crate::error::Result;
use crate::keys::generate_agent_key;
use crate::model::{
    Agent, CreateAgentRequest, Floor, SetFloorRequest, TakenBack, UpdateAgentRequest,
};

/// See [`AgentTrustClient::agents`].
#[derive(Clone, Copy, Debug)]
pub struct Agents<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Agents<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Registers an agent and returns it.
    ///
    /// Without a [`public_key`](CreateAgentRequest::public_key) an Ed25519 key pair is generated here:
    /// the public half is sent, the private half is in the returned agent's
    /// [`private_key`](Agent::private_key), this once, and never leaves the process.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a bad name or capability,
    /// [`Authentication`](crate::AgentTrustError::Authentication) and
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that is wrong or may not do this.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the agent may have been registered, and a private key that was generated here is lost: look for
    /// the agent with [`list`](Self::list) and revoke it, or [give it another key](Self::update).
    pub async fn create(&self, request: &CreateAgentRequest) -> Result<Agent> {
        let mut request = request.clone();
        let mut private_key = None;
        if request.public_key.is_none() {
            let pair = generate_agent_key()?;
            request.public_key = Some(pair.public_key_pem);
            private_key = Some(pair.private_key_pem);
        }
        let answer = self.client.post("/api/v1/agents").json(&request).send().await?;
        let mut agent: Agent = answer.object("agent")?;
        agent.private_key = private_key;
        Ok(agent)
    }

    /// Returns every agent of the key's organisation.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    pub async fn list(&self) -> Result<Vec<Agent>> {
        self.client.get("/api/v1/agents").send().await?.list("agents")
    }

    /// Returns the agent with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent.
    pub async fn get(&self, agent_id: &str) -> Result<Agent> {
        let path = format!("/api/v1/agents/{}", segment("agent id", agent_id)?);
        self.client.get(path).send().await?.object("agent")
    }

    /// Changes an agent and returns it as it is now: its name, capabilities, groups and metadata. What `request`
    /// says nothing of stays. It is in force on every replica within a second. Needs the key of an admin.
    ///
    /// Tokens and sessions that live narrow with the agent and never widen: what it loses they lose for good, and
    /// what it gains only those have that are issued afterwards.
    ///
    /// ```
    /// use agenttrust::model::UpdateAgentRequest;
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!((request.method().as_str(), request.uri().path()), ("PATCH", "/api/v1/agents/agt_1"));
    /// #         let agent = r#"{"id":"agt_1","capabilities":["files:read","refund"]}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::new(bytes::Bytes::from(agent))))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let request = UpdateAgentRequest::new().withdraw(["files:*"]).grant(["files:read"]).groups(["finance"]);
    /// let agent = client.agents().update("agt_1", &request).await?;
    /// assert_eq!(agent.capabilities, ["files:read", "refund"]);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a request that says nothing, and for a name, a capability
    /// or a group that cannot be one, [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent,
    /// [`Api`](crate::AgentTrustError::Api) with status 409 for one that is revoked, for capabilities that stand in
    /// each other's way, and for one to be withdrawn that another one of the agent's still covers,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this.
    pub async fn update(&self, agent_id: &str, request: &UpdateAgentRequest) -> Result<Agent> {
        let path = format!("/api/v1/agents/{}", segment("agent id", agent_id)?);
        self.client.patch(path).json(request).send().await?.object("agent")
    }

    /// Revokes an agent for good, with its tokens and sessions. `reason` goes into the audit trail.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent.
    pub async fn revoke(&self, agent_id: &str, reason: &str) -> Result<()> {
        // Whatever a gateway says of it: it is done.
        self.revocation(agent_id, reason)?.send().await.map(drop)
    }

    /// Revokes an agent as [`revoke`](Self::revoke) does, and says whether that is stored.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.uri().path(), "/api/v1/agents/agt_1/revoke");
    /// #         let answer = r#"{"status":"revoked","durable":true}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::new(bytes::Bytes::from(answer))))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let taken = client.agents().take_back("agt_1", "its host was broken into").await?;
    /// assert!(!taken.is_in_memory_only());
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`revoke`](Self::revoke).
    pub async fn take_back(&self, agent_id: &str, reason: &str) -> Result<TakenBack> {
        self.revocation(agent_id, reason)?.send().await?.json()
    }

    fn revocation(&self, agent_id: &str, reason: &str) -> Result<Call<'a>> {
        let path = format!("/api/v1/agents/{}/revoke", segment("agent id", agent_id)?);
        Ok(self.client.post(path).json(&json!({ "reason": reason })))
    }

    /// Suspends an agent until it is reactivated: it may do nothing meanwhile. `reason` goes into the audit
    /// trail. Needs the key of an operator or admin.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent, [`Api`](crate::AgentTrustError::Api)
    /// with status 409 for one that is revoked, [`Authorization`](crate::AgentTrustError::Authorization) for a key that
    /// may not do this.
    pub async fn suspend(&self, agent_id: &str, reason: &str) -> Result<()> {
        let path = format!("/api/v1/agents/{}/suspend", segment("agent id", agent_id)?);
        self.client.post(path).json(&json!({ "reason": reason })).send().await?;
        Ok(())
    }

    /// Lifts the suspension of an agent. `reason` goes into the audit trail. Needs the key of an operator or
    /// admin.
    ///
    /// # Errors
    ///
    /// As for [`suspend`](Self::suspend).
    pub async fn reactivate(&self, agent_id: &str, reason: &str) -> Result<()> {
        let path = format!("/api/v1/agents/{}/reactivate", segment("agent id", agent_id)?);
        self.client.post(path).json(&json!({ "reason": reason })).send().await?;
        Ok(())
    }

    /// Sets what applies to every session of an agent, those that are open too, and returns it. Needs the key
    /// of an operator or admin.
    ///
    /// ```
    /// use agenttrust::model::{SessionMode, SetFloorRequest};
    ///
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.uri().path(), "/api/v1/agents/agt_1/floor");
    /// #         // What was set is the answer.
    /// #         Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::new(request.into_body())))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let request = SetFloorRequest::new(SessionMode::Supervised).scope_ceiling(["files:*"]);
    /// let floor = client.agents().set_floor("agt_1", &request).await?;
    /// assert_eq!(floor.mode, "supervised");
    /// # assert_eq!(floor.scope_ceiling.unwrap(), ["files:*"]);
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a floor that allows nothing, or that says nothing of a
    /// ceiling which the agent has, [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do
    /// this, [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent,
    /// [`ElevationRequired`](crate::AgentTrustError::ElevationRequired), with the approval that this waits for, where
    /// the floor is looser than the one in force and policies ask several approvers about the agent's calls: call it
    /// again once as many have approved it.
    pub async fn set_floor(&self, agent_id: &str, request: &SetFloorRequest) -> Result<Floor> {
        let path = format!("/api/v1/agents/{}/floor", segment("agent id", agent_id)?);
        // Setting the same floor twice changes nothing the second time.
        self.client.put(path).json(request).repeatable().send().await?.object("floor")
    }
}
