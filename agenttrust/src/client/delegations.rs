//! Delegations: making, reading, listing and revoking them, and opening their sessions (SDK guide, section 11).

use super::path::{segment, with_query};
use super::{AgentTrustClient, Page};
use crate::error::Result;
use crate::model::{CreateDelegationRequest, Delegation, DelegationState, Session, TakenBack};

/// See [`AgentTrustClient::delegations`].
#[derive(Clone, Copy, Debug)]
pub struct Delegations<'a> {
    client: &'a AgentTrustClient,
}

/// A filter for a list of delegations.
///
/// ```
/// use agenttrust::client::DelegationFilter;
/// use agenttrust::model::DelegationState;
///
/// let filter = DelegationFilter::default().agent_id("agent-1").state(DelegationState::Active);
/// assert_eq!(filter.agent_id.as_deref(), Some("agent-1"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DelegationFilter {
    /// The agent that gave the delegations or was given them.
    pub agent_id: Option<String>,
    /// The state of the delegations.
    pub state: Option<DelegationState>,
    /// The position of a page: the [`next`](Page::next) of the page before.
    pub before: Option<String>,
    /// The largest number of delegations on a page; 1,000 by default.
    pub limit: Option<u32>,
}

impl DelegationFilter {
    /// Lists only those that this agent gave or was given.
    #[must_use]
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// Lists only those that stand so.
    #[must_use]
    pub fn state(mut self, state: DelegationState) -> Self {
        self.state = Some(state);
        self
    }

    /// Lists only those behind a page, which said this as [`next`](Page::next).
    #[must_use]
    pub fn before(mut self, before: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self
    }

    /// Asks for at most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<'a> Delegations<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Lets an agent do part of what another one may do, for a while, and returns the delegation.
    ///
    /// It gives nothing by itself: the agent uses it by opening its [session](Self::init_session). With a
    /// [parent](CreateDelegationRequest::parent_delegation_id) it hands on what was given, and ends with that.
    ///
    /// ```no_run
    /// use agenttrust::model::CreateDelegationRequest;
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let delegation = client
    ///     .delegations()
    ///     .create(&CreateDelegationRequest {
    ///         from_agent_id: "agent-a".to_string(),
    ///         to_agent_id: "agent-b".to_string(),
    ///         scope: vec!["web_search".to_string()],
    ///         ttl_seconds: Some(3600),
    ///         ..Default::default()
    ///     })
    ///     .await?;
    /// println!("Delegation {} expires at {:?}", delegation.id, delegation.expires_at);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for an agent that the key does not speak for, and
    /// for more than the giver has; [`Validation`](crate::AgentTrustError::Validation) for a cycle, a chain of more
    /// than 8, and what cannot be a scope, a time or a restriction; [`NotFound`](crate::AgentTrustError::NotFound)
    /// for an agent or a parent that is not there.
    pub async fn create(&self, request: &CreateDelegationRequest) -> Result<Delegation> {
        self.client.post("/api/v1/delegations").json(request).send().await?.object("delegation")
    }

    /// Returns the delegations that the key may see, the newest first, at most 1,000.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this.
    pub async fn list(&self) -> Result<Vec<Delegation>> {
        Ok(self.list_with(&DelegationFilter::default()).await?.items)
    }

    /// Returns the delegations that match `filter`, the newest first, a page at a time.
    ///
    /// The filter and the pages are an extension of our Guardian.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for an agent that the key is not bound to,
    /// [`Validation`](crate::AgentTrustError::Validation) for a `before` of another list.
    pub async fn list_with(&self, filter: &DelegationFilter) -> Result<Page<Delegation>> {
        let given = [
            ("agent_id", filter.agent_id.clone()),
            ("state", filter.state.map(|state| state.to_string())),
            ("before", filter.before.clone()),
            ("limit", filter.limit.map(|limit| limit.to_string())),
        ];
        self.client
            .get(with_query("/api/v1/delegations", given))
            .send()
            .await?
            .page_of_items("delegations")
    }

    /// Returns the delegation with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such delegation.
    pub async fn get(&self, delegation_id: &str) -> Result<Delegation> {
        self.client.get(path(delegation_id)?).send().await?.object("delegation")
    }

    /// Revokes a delegation, with all that was made from it: delegations, sessions and their tokens.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for one that does not work any more,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for one of other agents.
    pub async fn revoke(&self, delegation_id: &str) -> Result<()> {
        // Whatever a gateway says of it: it is done.
        self.client.delete(path(delegation_id)?).send().await.map(drop)
    }

    /// Revokes a delegation as [`revoke`](Self::revoke) does, and says whether that is stored.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!((request.method().as_str(), request.uri().path()), ("DELETE", "/api/v1/delegations/dlg_1"));
    /// #         let answer = r#"{"status":"revoked","durable":false}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(http_body_util::Full::new(bytes::Bytes::from(answer))))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let taken = client.delegations().take_back("dlg_1").await?;
    /// if taken.is_in_memory_only() {
    ///     eprintln!("revoked at this Guardian, whose database does not answer");
    /// }
    /// # assert!(taken.is_in_memory_only());
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`revoke`](Self::revoke).
    pub async fn take_back(&self, delegation_id: &str) -> Result<TakenBack> {
        self.client.delete(path(delegation_id)?).send().await?.json()
    }

    /// Opens a session in which the agent that was given to may do what the delegation gives.
    ///
    /// Its ceiling is the scope of the delegation, its end that of the delegation, and it ends with it. Asked again
    /// with the same key, it is the session that is open already.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for a delegation that does not work any more,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for one that was not given to an agent of the key,
    /// or while one of its agents is suspended.
    pub async fn init_session(&self, delegation_id: &str) -> Result<Session> {
        let path = format!("{}/session", path(delegation_id)?);
        self.client.post(path).send().await?.object("session")
    }
}

fn path(delegation_id: &str) -> Result<String> {
    Ok(format!("/api/v1/delegations/{}", segment("delegation id", delegation_id)?))
}
