//! Asking the Guardian what a token is worth, and for a session with it.

use std::time::{Duration, Instant};

use agenttrust::client::{ApiSessionOptions, BoundSession, ForwardedProof};
use agenttrust::internal::Moment;
use agenttrust::{
    AgentIdentity, AgentTrustClient, AgentTrustError, IntrospectTokenRequest,
    VerifyWimseTokenRequest,
};

use super::bound::Bound;
use super::cache::Known;
use super::ends::Ends;
use super::refusal::Refusal;
use super::wanted::Wanted;

/// How long an answer is good for at most: so long a revoked token may go on working where no
/// revocations are followed.
pub(super) const CACHED_MOST: Duration = Duration::from_secs(30);

/// Whom to ask, and what a token has to be good for.
pub(super) struct Question {
    pub(super) client: AgentTrustClient,
    pub(super) wanted: Wanted,
    pub(super) cache_ttl: Duration,
}

/// What a token is worth.
pub(super) struct Worth {
    pub(super) known: Known,
    pub(super) asked_at: Instant,
    /// So long it may be remembered.
    pub(super) until: Instant,
}

impl Question {
    /// Asks what a token is worth and opens a session with it.
    ///
    /// `before` is whose it was when it was last asked about: its session is still open, as the token
    /// still works, or an operator revoked it by its id, which no new session is to get around.
    pub(super) async fn ask(
        &self,
        token: &str,
        before: Option<&AgentIdentity>,
    ) -> Result<Worth, Refusal> {
        let (asked_at, asked) = (Instant::now(), Moment::now());
        let request = IntrospectTokenRequest {
            token: token.to_owned(),
            target: self.wanted.audience.clone(),
            // Asked without scopes: an inactive token and one that lacks a scope are told apart here.
            required_scopes: Vec::new(),
        };
        let worth = match self.client.tokens().introspect(&request).await {
            Ok(worth) => worth,
            // Nothing else of the question can be wrong: what is wanted was looked through before.
            Err(AgentTrustError::Validation { .. }) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::from_error(error)),
        };
        let agent_id = match &worth.agent_id {
            Some(agent_id) if worth.active && !agent_id.is_empty() => agent_id,
            _ => return Err(Refusal::Inactive),
        };
        let before = before.filter(|before| {
            before.agent_id() == agent_id && before.expires_at() == worth.expires_at
        });
        let session_id = match before {
            Some(before) => before.session_id().to_owned(),
            None => self.session(token, agent_id).await?,
        };
        // Nobody knows how long it is until a time by a clock that was not told: then it is asked about each time.
        let left = worth.expires_at.map(|_| worth.expires_in.unwrap_or_default());
        // Never past the token's own end.
        let good_for = left.map_or(self.cache_ttl, |left| left.min(self.cache_ttl));
        let ends = left.filter(|left| !left.is_zero()).map(|left| Ends::new(asked, left));
        let missing = self.wanted.missing(&worth.scopes);
        let mut identity = AgentIdentity::new(agent_id, session_id).with_scopes(worth.scopes);
        if let Some(org_id) = worth.org_id {
            identity = identity.with_org_id(org_id);
        }
        if let Some(expires_at) = worth.expires_at {
            identity = identity.with_expiry(expires_at);
        }
        let known = Known { identity, missing, ends, thumbprint: None };
        Ok(Worth { known, asked_at, until: asked_at + good_for })
    }

    /// As [`ask`](Self::ask), of a token that is bound to a key. The proof that came with it is used up where there is no
    /// session of the token yet.
    pub(super) async fn ask_bound(
        &self,
        bound: &Bound,
        before: Option<&Known>,
    ) -> Result<Worth, Refusal> {
        let proof = bound.to_forward()?;
        let (asked_at, asked) = (Instant::now(), Moment::now());
        let request =
            VerifyWimseTokenRequest { token: bound.token.clone(), trust_domain_filter: None };
        let wimse = self.client.wimse();
        let asking = match &self.wanted.audience {
            Some(audience) => wimse.verify_wimse_for(&request, audience).await,
            None => wimse.verify_wimse(&request).await,
        };
        let worth = match asking {
            Ok(worth) => worth,
            Err(AgentTrustError::Validation { .. }) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::from_error(error)),
        };
        let agent_id = match worth.agent_id {
            Some(agent_id) if worth.valid && !agent_id.is_empty() => agent_id,
            _ => return Err(Refusal::Inactive),
        };
        let mut known = match before.filter(|before| before.identity.agent_id() == agent_id) {
            Some(before) => before.clone(),
            None => self.bound_session(bound, &proof, &agent_id, asked).await?,
        };
        known.missing = self.wanted.missing(&worth.capabilities);
        known.identity = known.identity.with_scopes(worth.capabilities);
        Ok(Worth { known, asked_at, until: asked_at + self.cache_ttl })
    }

    async fn bound_session(
        &self,
        bound: &Bound,
        proof: &ForwardedProof,
        agent_id: &str,
        asked: Moment,
    ) -> Result<Known, Refusal> {
        let mut options = ApiSessionOptions::default();
        options.target.clone_from(&self.wanted.audience);
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
        Ok(Known {
            identity,
            missing: None,
            ends: expires_in.map(|left| Ends::new(asked, left)),
            thumbprint: Some(key_thumbprint.into()),
        })
    }

    async fn session(&self, token: &str, agent_id: &str) -> Result<String, Refusal> {
        let mut options = ApiSessionOptions::default();
        options.target.clone_from(&self.wanted.audience);
        let opened = self.client.sessions().init_api_session_with(token, &options).await;
        let session = opened.map_err(not_opened)?;
        if session.session_id.is_empty() || session.agent_id != agent_id {
            tracing::error!(agent_id, "the Guardian opened a session that is not this agent's");
            return Err(Refusal::Inactive);
        }
        Ok(session.session_id)
    }
}

/// Why no session was opened for a token that worked a moment ago.
fn not_opened(error: AgentTrustError) -> Refusal {
    match error {
        // Our own key was in order then: so it is the token, or its proof.
        AgentTrustError::Authentication { .. }
        | AgentTrustError::TokenExpired { .. }
        | AgentTrustError::AgentRevoked { .. } => Refusal::Inactive,
        error => Refusal::from_error(error),
    }
}
