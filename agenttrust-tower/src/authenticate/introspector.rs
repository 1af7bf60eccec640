//! [`TokenIntrospector`]: introspects tokens at the Guardian, and opens sessions with them.

use std::time::{Duration, Instant};

use agenttrust::client::{ApiSessionOptions, BoundSession, ForwardedProof};
use agenttrust::internal::SuspendAwareInstant;
use agenttrust::{
    AgentIdentity, AgentTrustClient, AgentTrustError, IntrospectTokenRequest,
    VerifyWimseTokenRequest,
};

use super::bound::Bound;
use super::cache::TokenIdentity;
use super::refusal::Refusal;
use super::requirements::TokenRequirements;
use super::token_expiry::TokenExpiry;

/// The longest time that an answer is good for: a revoked token may go on working so long where no revocations are
/// followed.
pub(super) const CACHED_MOST: Duration = Duration::from_secs(30);

/// The client that introspects tokens, and what a token has to be good for.
pub(super) struct TokenIntrospector {
    pub(super) client: AgentTrustClient,
    pub(super) requirements: TokenRequirements,
    pub(super) cache_ttl: Duration,
}

/// A token that works, and for how long its answer may be cached.
pub(super) struct IntrospectedToken {
    pub(super) known: TokenIdentity,
    pub(super) asked_at: Instant,
    /// The time from which on the answer is to be asked for again.
    pub(super) until: Instant,
}

impl TokenIntrospector {
    /// Introspects a token and opens a session with it.
    ///
    /// `before` is the agent of the last introspection: its session is still open, as the token still works, or an
    /// operator revoked it by its id, which no new session is to get around.
    pub(super) async fn introspect(
        &self,
        token: &str,
        before: Option<&AgentIdentity>,
    ) -> Result<IntrospectedToken, Refusal> {
        let (asked_at, asked) = (Instant::now(), SuspendAwareInstant::now());
        let request = IntrospectTokenRequest {
            token: token.to_owned(),
            target: self.requirements.audience.clone(),
            // Asked without scopes: an inactive token and one that lacks a scope are told apart here.
            required_scopes: Vec::new(),
        };
        let introspected = match self.client.tokens().introspect(&request).await {
            Ok(introspected) => introspected,
            // Nothing else of the question can be wrong: what is wanted was looked through before.
            Err(AgentTrustError::Validation { .. }) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::from_error(error)),
        };
        let agent_id = match &introspected.agent_id {
            Some(agent_id) if introspected.active && !agent_id.is_empty() => agent_id,
            _ => return Err(Refusal::Inactive),
        };
        let before = before.filter(|before| {
            before.agent_id() == agent_id && before.expires_at() == introspected.expires_at
        });
        let session_id = match before {
            Some(before) => before.session_id().to_owned(),
            None => self.session(token, agent_id).await?,
        };
        // Nobody knows how long it is until a time by a clock that was not told: then it is asked about each time.
        let left = introspected.expires_at.map(|_| introspected.expires_in.unwrap_or_default());
        // Never past the token's own end.
        let good_for = left.map_or(self.cache_ttl, |left| left.min(self.cache_ttl));
        let ends = left.filter(|left| !left.is_zero()).map(|left| TokenExpiry::new(asked, left));
        let missing = self.requirements.missing(&introspected.scopes);
        let mut identity =
            AgentIdentity::new(agent_id, session_id).with_scopes(introspected.scopes);
        if let Some(org_id) = introspected.org_id {
            identity = identity.with_org_id(org_id);
        }
        if let Some(expires_at) = introspected.expires_at {
            identity = identity.with_expiry(expires_at);
        }
        let known = TokenIdentity { identity, missing, ends, thumbprint: None };
        Ok(IntrospectedToken { known, asked_at, until: asked_at + good_for })
    }

    /// Does the same as [`introspect`](Self::introspect), of a token that is bound to a key. The proof that came with
    /// it is used up where there is no session of the token yet.
    pub(super) async fn introspect_bound(
        &self,
        bound: &Bound,
        before: Option<&TokenIdentity>,
    ) -> Result<IntrospectedToken, Refusal> {
        let proof = bound.to_forward()?;
        let (asked_at, asked) = (Instant::now(), SuspendAwareInstant::now());
        let request =
            VerifyWimseTokenRequest { token: bound.token.clone(), trust_domain_filter: None };
        let wimse = self.client.wimse();
        let asking = match &self.requirements.audience {
            Some(audience) => wimse.verify_wimse_for(&request, audience).await,
            None => wimse.verify_wimse(&request).await,
        };
        let introspected = match asking {
            Ok(introspected) => introspected,
            Err(AgentTrustError::Validation { .. }) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::from_error(error)),
        };
        let agent_id = match introspected.agent_id {
            Some(agent_id) if introspected.valid && !agent_id.is_empty() => agent_id,
            _ => return Err(Refusal::Inactive),
        };
        let mut known = match before.filter(|before| before.identity.agent_id() == agent_id) {
            Some(before) => before.clone(),
            None => self.bound_session(bound, &proof, &agent_id, asked).await?,
        };
        known.missing = self.requirements.missing(&introspected.capabilities);
        known.identity = known.identity.with_scopes(introspected.capabilities);
        Ok(IntrospectedToken { known, asked_at, until: asked_at + self.cache_ttl })
    }

    async fn bound_session(
        &self,
        bound: &Bound,
        proof: &ForwardedProof,
        agent_id: &str,
        asked: SuspendAwareInstant,
    ) -> Result<TokenIdentity, Refusal> {
        let mut options = ApiSessionOptions::default();
        options.target.clone_from(&self.requirements.audience);
        let opened = self.client.sessions().init_bound_session(&bound.token, proof, &options).await;
        let BoundSession { session, key_thumbprint, expires_in, .. } =
            opened.map_err(not_opened)?;
        if session.session_id.is_empty() || session.agent_id != agent_id {
            tracing::error!(agent_id, "the Guardian opened a session that is not this agent's");
            return Err(Refusal::Inactive);
        }
        let mut identity = AgentIdentity::new(agent_id, session.session_id);
        if !session.org_id.is_empty() {
            identity = identity.with_org_id(session.org_id);
        }
        if let Some(expires_at) = session.expires_at {
            identity = identity.with_expiry(expires_at);
        }
        Ok(TokenIdentity {
            identity,
            missing: None,
            ends: expires_in.map(|left| TokenExpiry::new(asked, left)),
            thumbprint: Some(key_thumbprint.into()),
        })
    }

    async fn session(&self, token: &str, agent_id: &str) -> Result<String, Refusal> {
        let mut options = ApiSessionOptions::default();
        options.target.clone_from(&self.requirements.audience);
        let opened = self.client.sessions().init_api_session_with(token, &options).await;
        let session = opened.map_err(not_opened)?;
        if session.session_id.is_empty() || session.agent_id != agent_id {
            tracing::error!(agent_id, "the Guardian opened a session that is not this agent's");
            return Err(Refusal::Inactive);
        }
        Ok(session.session_id)
    }
}

/// Returns why no session was opened for a token that worked a moment ago.
fn not_opened(error: AgentTrustError) -> Refusal {
    match error {
        // Our own key was in order then: so it is the token, or its proof.
        AgentTrustError::Authentication { .. }
        | AgentTrustError::TokenExpired { .. }
        | AgentTrustError::AgentRevoked { .. } => Refusal::Inactive,
        error => Refusal::from_error(error),
    }
}
