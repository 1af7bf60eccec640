//! Sessions: opening, reading, listing and revoking them (SDK guide, sections 6 and 11).

use serde_json::json;

use super::path::segment;
use super::{AgentTrustClient, Page, SessionFilter};
use crate::error::Result;
use crate::model::{InitSessionRequest, Session, SessionMode, headers};

/// See [`AgentTrustClient::sessions`].
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    client: &'a AgentTrustClient,
}

/// What a session that is opened from a token is for.
///
/// ```
/// use agenttrust::SessionMode;
/// use agenttrust::client::ApiSessionOptions;
///
/// let options = ApiSessionOptions::default().target("files").mode(SessionMode::Supervised);
/// assert_eq!(options.target.as_deref(), Some("files"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ApiSessionOptions {
    /// Where the token is used: one that has an audience must name it, unless it names the gateway that the
    /// caller's key is of.
    pub target: Option<String>,
    /// A mode to tighten the session to.
    pub mode: Option<SessionMode>,
}

impl ApiSessionOptions {
    /// Where the token is used.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// A mode to tighten the session to.
    #[must_use]
    pub fn mode(mut self, mode: SessionMode) -> Self {
        self.mode = Some(mode);
        self
    }
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
    /// [`TokenExpired`](crate::AgentTrustError::TokenExpired) for a token that is worth nothing, or that is for
    /// another audience.
    pub async fn init_api_session(&self, token: &str) -> Result<Session> {
        self.init_api_session_with(token, &ApiSessionOptions::default()).await
    }

    /// As [`init_api_session`](Self::init_api_session), and says where the token is used.
    ///
    /// # Errors
    ///
    /// As for [`init_api_session`](Self::init_api_session).
    pub async fn init_api_session_with(
        &self,
        token: &str,
        options: &ApiSessionOptions,
    ) -> Result<Session> {
        let mut body = json!({ "token": token });
        if let (Some(body), Some(mode)) = (body.as_object_mut(), options.mode) {
            body.insert("mode".to_owned(), mode.as_str().into());
        }
        let mut call = self.client.post("/api/v1/agenttrust/api-sessions/init").json(&body);
        if let Some(target) = &options.target {
            call = call.text_header(headers::TARGET, target);
        }
        call.send().await?.object("session")
    }

    /// The issued sessions that match `filter`, newest first, with their counters, a page at a time.
    ///
    /// An extension of our Guardian. A key of role agent sees those of its agents, one of role gateway those
    /// that were opened at it.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for an agent that the key is not bound to,
    /// [`Validation`](crate::AgentTrustError::Validation) for a `before` of another list, and
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that has no such list.
    pub async fn list(&self, filter: &SessionFilter) -> Result<Page<Session>> {
        self.client.get(filter.path("/api/v1/sessions")).send().await?.page_of_items("sessions")
    }

    /// Revokes a session, with all that was made from it. The token that it was opened with goes on working.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for one that is not open.
    pub async fn revoke(&self, session_id: &str, reason: &str) -> Result<()> {
        let path = format!("/api/v1/sessions/{}/revoke", segment("session id", session_id)?);
        self.client.post(path).json(&json!({ "reason": reason })).send().await?;
        Ok(())
    }
}
