//! Tokens: issuing, introspecting, listing, revoking (SDK guide, section 4).

use serde::Serialize;
use serde_json::json;

use super::cache::CacheKey;
use super::path::segment;
use super::{AgentTrustClient, Page, Revocations, TokenFilter};
use crate::error::Result;
use crate::model::{
    IntrospectTokenRequest, IntrospectionResult, IssueTokenRequest, IssuedToken, Token,
};
use crate::suspend_aware_instant::SuspendAwareInstant;

/// See [`AgentTrustClient::tokens`].
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    client: &'a AgentTrustClient,
}

/// Options beyond the guide's [`IssueTokenRequest`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IssueOptions {
    /// The session that the token is bound to.
    pub session_id: Option<String>,
    /// Asks for a new token even if a cached one would do.
    pub bypass_cache: bool,
}

impl IssueOptions {
    /// Binds the token to a session.
    #[must_use]
    pub fn session_id(mut self, session_id: impl Into<String>) -> Self {
        self.session_id = Some(session_id.into());
        self
    }

    /// Asks for a new token even if a cached one would do.
    #[must_use]
    pub fn bypass_cache(mut self, bypass: bool) -> Self {
        self.bypass_cache = bypass;
        self
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Issues a token, or returns a cached one for the same agent, scopes, audience and session that
    /// has at least 30 seconds left.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::AgentTrustError::Validation) for scopes beyond the agent's capabilities
    /// or a lifetime out of bounds, [`NotFound`](crate::AgentTrustError::NotFound) for an unknown
    /// agent.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a token may have been issued that is not returned: it ends at its expiry, or by
    /// [`revoke_by_id`](Self::revoke_by_id) once [`list`](Self::list) shows it.
    pub async fn issue(&self, request: &IssueTokenRequest) -> Result<Token> {
        self.issue_with(request, IssueOptions::default()).await
    }

    /// Does the same as [`issue`](Self::issue), with more.
    ///
    /// # Errors
    ///
    /// As for [`issue`](Self::issue).
    ///
    /// # Cancel safety
    ///
    /// As for [`issue`](Self::issue).
    pub async fn issue_with(
        &self,
        request: &IssueTokenRequest,
        options: IssueOptions,
    ) -> Result<Token> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(flatten)]
            request: &'a IssueTokenRequest,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_id: Option<&'a str>,
        }

        let cache = &self.client.inner.tokens;
        let key = CacheKey::new(request, options.session_id.as_deref());
        if !options.bypass_cache
            && let Some(token) = cache.get(&key)
        {
            return Ok(token);
        }
        let body = Body { request, session_id: options.session_id.as_deref() };
        let asked = SuspendAwareInstant::now();
        let answer = self.client.post("/api/v1/agent-tokens/issue").json(&body).send().await?;
        let token: Token = answer.object("token_data")?;
        let left = token.expires_at.and_then(|end| answer.left_until(end));
        cache.put(key, &token, asked, left);
        Ok(token)
    }

    /// Returns what a token is worth right now, for this target and with these scopes.
    ///
    /// # Errors
    ///
    /// Only when the question cannot be asked: a worthless token is an answer, with
    /// [`active`](IntrospectionResult::active) `false`.
    pub async fn introspect(
        &self,
        request: &IntrospectTokenRequest,
    ) -> Result<IntrospectionResult> {
        let call = self.client.post("/api/v1/agent-tokens/introspect").json(request);
        let answer = call.repeatable().send().await?;
        let mut worth: IntrospectionResult = answer.json()?;
        worth.expires_in = worth.expires_at.and_then(|end| answer.left_until(end));
        Ok(worth)
    }

    /// Revokes a token at once and forgets it here.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for a token that the gateway does not know.
    pub async fn revoke(&self, token: &str, reason: &str) -> Result<()> {
        // Forgotten first: a revocation that gets lost must not leave the token in use here.
        self.client.inner.tokens.forget(token);
        let body = json!({ "token": token, "reason": reason });
        self.client.post("/api/v1/agent-tokens/revoke").json(&body).send().await?;
        Ok(())
    }

    /// Returns the tokens that match `filter`, newest first, without what is secret of them, a page at a time.
    ///
    /// An extension of our Guardian. A key of role agent sees those of its agents.
    ///
    /// ```no_run
    /// use agenttrust::client::TokenFilter;
    /// use agenttrust::model::TokenState;
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let filter = TokenFilter::default().key_id("key_1").state(TokenState::Active);
    /// for token in client.tokens().list(&filter).await?.items {
    ///     client.tokens().revoke_by_id(&token.token_id, "no longer needed").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key of role gateway and for an agent that
    /// the key is not bound to, [`Validation`](crate::AgentTrustError::Validation) for a `before` of another
    /// list, and [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that has no such list.
    pub async fn list(&self, filter: &TokenFilter) -> Result<Page<IssuedToken>> {
        let path = filter.path("/api/v1/agent-tokens");
        self.client.get(path).send().await?.page_of_items("tokens")
    }

    /// Revokes the token of this id, with all that was made from it, and forgets it here. Its secret is not
    /// needed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) for one that does not work.
    pub async fn revoke_by_id(&self, token_id: &str, reason: &str) -> Result<()> {
        let id = segment("token id", token_id)?;
        // Forgotten first: a revocation that gets lost must not leave the token in use here.
        self.client.inner.tokens.forget_id(token_id);
        let path = format!("/api/v1/agent-tokens/{id}/revoke");
        self.client.post(path).json(&json!({ "reason": reason })).send().await?;
        Ok(())
    }

    /// Returns every revocation from now on, for a gateway that caches what it found tokens to be worth. Once
    /// this returns, none is missed until the stream ends; see [`Revocations`] for what a cache has to
    /// do then.
    ///
    /// For keys of role gateway, auditor, operator and admin. An extension of our Guardian.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key of role agent,
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that has no such stream, and
    /// [`Api`](crate::AgentTrustError::Api) with status 429 where too many are open already.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, no stream stays open.
    pub async fn revocations(&self) -> Result<Revocations> {
        Revocations::open(self.client).await
    }
}
