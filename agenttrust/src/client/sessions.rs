//! Sessions: opening and reading them (SDK guide, sections 6 and 11).

use serde_json::json;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::Result;
use crate::model::{InitSessionRequest, Session};

/// See [`AgentTrustClient::sessions`].
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Opens a session of an agent with a server, in the agent's own mode and under its own ceiling.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for an unknown agent.
    pub async fn init_session(&self, agent_id: &str, server_id: &str) -> Result<Session> {
        self.init_session_with(&InitSessionRequest {
            agent_id: agent_id.to_owned(),
            server_id: server_id.to_owned(),
            ..InitSessionRequest::default()
        })
        .await
    }

    /// Opens a session and tightens it: a stricter mode, a lower ceiling.
    ///
    /// ```no_run
    /// use agenttrust::model::{InitSessionRequest, SessionMode};
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let session = client
    ///     .sessions()
    ///     .init_session_with(&InitSessionRequest {
    ///         agent_id: "agent-1".to_string(),
    ///         server_id: "files".to_string(),
    ///         mode: Some(SessionMode::Restricted),
    ///         scope_ceiling: Some(vec!["files:read".to_string()]),
    ///     })
    ///     .await?;
    /// assert_eq!(session.mode, "restricted");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for a ceiling beyond the agent's
    /// capabilities, [`NotFound`](crate::AgentTrustError::NotFound) for an unknown agent.
    pub async fn init_session_with(&self, request: &InitSessionRequest) -> Result<Session> {
        self.client.post("/mcp/sessions/init").json(request).send().await?.object("session")
    }

    /// The session with this id, with its counters.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is none.
    pub async fn get_session(&self, session_id: &str) -> Result<Session> {
        let path = format!("/mcp/sessions/{}", segment("session id", session_id)?);
        self.client.get(path).send().await?.object("session")
    }

    /// Opens a session from a token: its ceiling is the token's scopes, its end the token's expiry.
    ///
    /// # Errors
    ///
    /// [`Authentication`](crate::AgentTrustError::Authentication) or
    /// [`TokenExpired`](crate::AgentTrustError::TokenExpired) for a token that is worth nothing.
    pub async fn init_api_session(&self, token: &str) -> Result<Session> {
        let call = self.client.post("/api/v1/agenttrust/api-sessions/init");
        call.json(&json!({ "token": token })).send().await?.object("session")
    }
}
