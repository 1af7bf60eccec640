//! Asking the Guardian what a token is worth, and for a session with it.

use std::time::{Duration, Instant};

use agenttrust::client::ApiSessionOptions;
use agenttrust::internal::Moment;
use agenttrust::{AgentIdentity, AgentTrustClient, AgentTrustError, IntrospectTokenRequest};

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
        Ok(Worth { known: Known { identity, missing, ends }, asked_at, until: asked_at + good_for })
    }

    async fn session(&self, token: &str, agent_id: &str) -> Result<String, Refusal> {
        let mut options = ApiSessionOptions::default();
        options.target.clone_from(&self.wanted.audience);
        let opened = self.client.sessions().init_api_session_with(token, &options).await;
        let session = match opened {
            Ok(session) => session,
            // It worked a moment ago, and our own key was in order: so it is the token.
            Err(
                AgentTrustError::Authentication { .. }
                | AgentTrustError::TokenExpired { .. }
                | AgentTrustError::AgentRevoked { .. },
            ) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::from_error(error)),
        };
        if session.session_id.is_empty() || session.agent_id != agent_id {
            tracing::error!(agent_id, "the Guardian opened a session that is not this agent's");
            return Err(Refusal::Inactive);
        }
        Ok(session.session_id)
    }
}
