//! Sessions: opening, reading, listing and revoking them (SDK guide, sections 6 and 11).

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::path::segment;
use super::request::Call;
use super::{AgentTrustClient, Page, SessionFilter};
use crate::error::{AgentTrustError, Result};
use crate::model::{InitSessionRequest, Session, SessionMode, Timestamp, headers};

/// See [`AgentTrustClient::sessions`].
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    client: &'a AgentTrustClient,
}

/// Options for a session that is opened from a token.
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
    /// The place where the token is used: a token with an audience must name it, unless it names the gateway that the
    /// caller's key is of.
    pub target: Option<String>,
    /// A mode to tighten the session to.
    pub mode: Option<SessionMode>,
}

impl ApiSessionOptions {
    /// Sets where the token is used.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets a mode to tighten the session to.
    #[must_use]
    pub fn mode(mut self, mode: SessionMode) -> Self {
        self.mode = Some(mode);
        self
    }
}

/// The proof that came to a server with a workload token (RFC 9449), and the request that it came with. `Debug` hides
/// it.
///
/// ```
/// use agenttrust::client::ForwardedProof;
///
/// let proof = ForwardedProof::new("eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.AA", "GET", "https://files.example/a");
/// assert!(!format!("{proof:?}").contains("eyJ0eXAi"));
/// ```
#[derive(Clone)]
pub struct ForwardedProof {
    proof: String,
    method: String,
    url: String,
}

impl ForwardedProof {
    /// Returns the proof that came with a request of this method, to this URL: as the caller knows it, not as a proxy
    /// in between changed it.
    #[must_use]
    pub fn new(
        proof: impl Into<String>,
        method: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self { proof: proof.into(), method: method.into(), url: url.into() }
    }
}

impl fmt::Debug for ForwardedProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedProof")
            .field("proof", &"..")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish()
    }
}

/// A session that was opened from a workload token which is bound to a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BoundSession {
    /// The session.
    pub session: Session,
    /// The thumbprint (RFC 7638) of the key that every further proof must be made with.
    pub key_thumbprint: String,
    /// The session's lifetime, by the clock of the gateway where its answer had the time.
    pub expires_in: Option<Duration>,
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

    /// Returns the session with this id, with its counters.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such session.
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

    /// Does the same as [`init_api_session`](Self::init_api_session), and says where the token is used.
    ///
    /// # Errors
    ///
    /// As for [`init_api_session`](Self::init_api_session).
    pub async fn init_api_session_with(
        &self,
        token: &str,
        options: &ApiSessionOptions,
    ) -> Result<Session> {
        self.opening(token, options).send().await?.object("session")
    }

    /// Opens a session from a workload token that is bound to a key, for a server that agents come to with such tokens:
    /// an extension of ours. The Guardian looks at the token and at the proof that came with it. The calling server
    /// checks the proof of each further request itself, by the thumbprint that is returned.
    ///
    /// # Errors
    ///
    /// [`Authentication`](AgentTrustError::Authentication) for a token or a proof that is not good or was used, and for
    /// a token that is for another audience; [`GuardianUnavailable`](AgentTrustError::GuardianUnavailable) from a
    /// gateway that knows no such tokens.
    pub async fn init_bound_session(
        &self,
        token: &str,
        proof: &ForwardedProof,
        options: &ApiSessionOptions,
    ) -> Result<BoundSession> {
        let call = self
            .opening(token, options)
            .header(headers::FORWARDED_DPOP, &proof.proof)
            .header(headers::FORWARDED_DPOP_METHOD, &proof.method)
            .header(headers::FORWARDED_DPOP_URL, &proof.url);
        let answer = call.send().await?;
        let session: Session = answer.object("session")?;
        let thumbprint = answer.headers.get(headers::KEY_THUMBPRINT);
        let thumbprint = thumbprint.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if thumbprint.is_empty() {
            return Err(AgentTrustError::GuardianUnavailable {
                message: format!(
                    "the gateway at {} opened a session and did not say which key its token is bound to; ask a Guardian \
                     that knows such tokens",
                    self.client.base_url()
                ),
            });
        }
        Ok(BoundSession {
            key_thumbprint: thumbprint.to_owned(),
            // A gateway in the same process says no date, and has our clock.
            expires_in: session
                .expires_at
                .map(|end| answer.left_until(end).unwrap_or_else(|| Timestamp::now().until(end))),
            session,
        })
    }

    /// Returns the request that opens a session from a token.
    fn opening(&self, token: &str, options: &ApiSessionOptions) -> Call<'a> {
        let mut body = json!({ "token": token });
        if let (Some(body), Some(mode)) = (body.as_object_mut(), options.mode) {
            body.insert("mode".to_owned(), mode.as_str().into());
        }
        let call = self.client.post("/api/v1/agenttrust/api-sessions/init").json(&body);
        match &options.target {
            Some(target) => call.text_header(headers::TARGET, target),
            None => call,
        }
    }

    /// Returns the issued sessions that match `filter`, newest first, with their counters, a page at a time.
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
