//! The agents behind tokens: asked for once however many requests come at a time, and known for a
//! while.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::__private::{Problem, background};
use agenttrust::model::CapabilitySet;
use agenttrust::{
    AgentIdentity, AgentTrustClient, AgentTrustError, IntrospectTokenRequest, IntrospectionResult,
    Timestamp,
};
use tokio::sync::{oneshot, watch};

use super::cache::{Cache, Found, Key, Known};
use super::refusal::Refusal;
use super::revoked;

/// How long an answer is good for at most: so long a revoked token may go on working where no
/// revocations are followed.
pub(super) const CACHED_MOST: Duration = Duration::from_secs(30);
/// How many tokens are looked into at a time.
const FLIGHTS_MOST: usize = 256;

pub(super) type Verdict = Result<AgentIdentity, Refusal>;

/// What one layer knows of tokens.
pub(super) struct Tokens {
    pub(super) client: AgentTrustClient,
    pub(super) audience: Option<String>,
    pub(super) required: Vec<String>,
    pub(super) cached_for: Duration,
    state: Mutex<State>,
    /// Dropped with this: then nobody follows any more.
    following: OnceLock<oneshot::Sender<()>>,
}

struct State {
    cache: Cache,
    /// The questions on their way.
    flights: HashMap<Key, watch::Receiver<Option<Verdict>>>,
}

/// What there is to say of a token at once.
pub(super) enum AtOnce {
    Known(Verdict),
    /// The Guardian is being asked.
    Asking(watch::Receiver<Option<Verdict>>),
}

impl Tokens {
    pub(super) fn new(
        client: AgentTrustClient,
        audience: Option<String>,
        required: Vec<String>,
        cached_for: Duration,
    ) -> Self {
        let state = Mutex::new(State { cache: Cache::new(), flights: HashMap::new() });
        Self { client, audience, required, cached_for, state, following: OnceLock::new() }
    }

    /// What is known of `token`, or the answer on its way; one question at a time for each token.
    pub(super) fn look(self: &Arc<Self>, token: &str) -> AtOnce {
        let key = Key::of(token);
        let mut state = self.state();
        let before = match state.cache.find(&key, Instant::now()) {
            Found::Good(known) => return AtOnce::Known(known.admitted()),
            Found::Bad => return AtOnce::Known(Err(Refusal::Inactive)),
            Found::Nothing(before) => before,
        };
        let epoch = state.cache.epoch();
        let in_flight = state.flights.len();
        match state.flights.entry(key) {
            Entry::Occupied(flight) => AtOnce::Asking(flight.get().clone()),
            Entry::Vacant(_) if in_flight >= FLIGHTS_MOST => AtOnce::Known(Err(Refusal::busy())),
            Entry::Vacant(place) => {
                let (answer, answered) = watch::channel(None);
                place.insert(answered.clone());
                let (tokens, token) = (Arc::clone(self), token.to_owned());
                // Not on the request's own task: others wait for it when that one is given up.
                background::spawn(async move {
                    let landed = Landed { tokens: &tokens, key };
                    let verdict = tokens.ask(&token, before.as_ref()).await;
                    tokens.remember(key, &verdict, epoch);
                    drop(landed);
                    answer.send_replace(Some(verdict.and_then(|(known, _)| known.admitted())));
                });
                AtOnce::Asking(answered)
            }
        }
    }

    /// Follows revocations from now on, for as long as this is there.
    pub(super) fn follow_revocations(self: &Arc<Self>) {
        let _ = self.following.set(revoked::follow(self));
    }

    /// Forgets the token with this SHA-256, in lower-case hexadecimal digits.
    pub(super) fn forget_token(&self, hex: &str) {
        self.state().cache.forget_token(hex);
    }

    /// Forgets every token of this agent.
    pub(super) fn forget_agent(&self, agent_id: &str) {
        self.state().cache.forget_agent(agent_id);
    }

    pub(super) fn forget_all(&self) {
        self.state().cache.forget_all();
    }

    /// Asks what a token is worth and opens a session with it; returns until when that may be believed.
    ///
    /// `before` is whose it was when it was last asked about: its session is still open, as the token
    /// still works.
    async fn ask(
        &self,
        token: &str,
        before: Option<&AgentIdentity>,
    ) -> Result<(Known, Instant), Refusal> {
        let asked_at = Instant::now();
        let request = IntrospectTokenRequest {
            token: token.to_owned(),
            target: self.audience.clone(),
            // Asked without scopes: an inactive token and one that lacks a scope are told apart here.
            required_scopes: Vec::new(),
        };
        let worth = self.client.tokens().introspect(&request).await.map_err(Refusal::of)?;
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
        let until = asked_at + self.good_for(worth.expires_at);
        let missing = self.missing(&worth);
        let mut identity = AgentIdentity::new(agent_id, session_id).with_scopes(worth.scopes);
        if let Some(org_id) = worth.org_id {
            identity = identity.with_org_id(org_id);
        }
        if let Some(expires_at) = worth.expires_at {
            identity = identity.with_expiry(expires_at);
        }
        Ok((Known { identity, missing }, until))
    }

    async fn session(&self, token: &str, agent_id: &str) -> Result<String, Refusal> {
        let session = match self.client.sessions().init_api_session(token).await {
            Ok(session) => session,
            // It worked a moment ago, and our own key was in order: so it is the token.
            Err(
                AgentTrustError::Authentication { .. }
                | AgentTrustError::TokenExpired { .. }
                | AgentTrustError::AgentRevoked { .. },
            ) => return Err(Refusal::Inactive),
            Err(error) => return Err(Refusal::of(error)),
        };
        if session.session_id.is_empty() || session.agent_id != agent_id {
            tracing::error!(agent_id, "the Guardian opened a session that is not this agent's");
            return Err(Refusal::Inactive);
        }
        Ok(session.session_id)
    }

    /// Never past the token's own end, by a clock that nobody sets back.
    fn good_for(&self, expires_at: Option<Timestamp>) -> Duration {
        let left = expires_at.map(|expiry| Timestamp::now().until(expiry));
        left.map_or(self.cached_for, |left| left.min(self.cached_for))
    }

    /// The first scope that is required here and that the token does not carry.
    fn missing(&self, worth: &IntrospectionResult) -> Option<String> {
        // Scopes that cannot be read carry nothing.
        let carried = CapabilitySet::parse(&worth.scopes).unwrap_or_default();
        self.required.iter().find(|scope| !carried.covers(scope)).cloned()
    }

    fn remember(&self, key: Key, verdict: &Result<(Known, Instant), Refusal>, epoch: u64) {
        let cache = &mut self.state().cache;
        match verdict {
            Ok((known, until)) => cache.put_good(key, known.clone(), *until, epoch),
            Err(Refusal::Inactive) => cache.put_bad(key, Instant::now()),
            // That nobody answered says nothing of the token.
            Err(_) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question off the list when it is answered, or when asking panicked.
struct Landed<'a> {
    tokens: &'a Tokens,
    key: Key,
}

impl Drop for Landed<'_> {
    fn drop(&mut self) {
        self.tokens.state().flights.remove(&self.key);
    }
}

/// The answer that is on its way.
pub(super) async fn answered(mut answer: watch::Receiver<Option<Verdict>>) -> Verdict {
    match answer.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(verdict)) => verdict.clone(),
        _ => {
            tracing::error!(
                "looking into a token panicked; the panic was printed where it happened"
            );
            Err(Refusal::Guardian(Problem::busy(
                "the token of the request could not be looked into; try again later",
            )))
        }
    }
}
