//! The agents behind tokens: asked for once however many requests come at a time, and known for a
//! while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use agenttrust::background;
use agenttrust::internal::Breaker;
use agenttrust::{AgentIdentity, Revocation};
use tokio::sync::{oneshot, watch};

use super::bound::Bound;
use super::cache::{Cache, CacheLookup, TokenIdentity};
use super::introspector::{CACHED_MOST, IntrospectedToken, TokenIntrospector};
use super::invalidation::{Epoch, Invalidation, Standing};
use super::key::Key;
use super::refusal::Refusal;
use super::revoked;
use super::token_expiry::TokenExpiry;
use super::used_proofs::{Used, UsedProofs};

/// The largest number of unknown tokens that are looked into at a time ...
const STRANGERS_MOST: usize = 256;
/// ... and how often one of them, where it is taken back again and again meanwhile.
const ASKED_MOST: u32 = 3;
/// The least and the greatest time that a request with a proof may wait for the identity of its token, however long a
/// question may take: proofs are remembered for so much longer.
const WAITS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(300)];

/// The tokens that one layer knows.
pub(super) struct Tokens {
    pub(super) introspector: TokenIntrospector,
    /// The longest time that one introspection may take.
    timeout: Duration,
    /// The longest time that a request with a proof may have waited for introspections of its token.
    waits_most: Duration,
    breaker: Breaker,
    /// Whether the layer is set up wrong, so that no agent can be let in; the log said so.
    out_of_order: bool,
    wrong_order: Once,
    /// The proofs that were used.
    used_proofs: Mutex<UsedProofs>,
    state: Mutex<State>,
    /// The sender whose drop, with this, ends the following of revocations.
    following: OnceLock<oneshot::Sender<()>>,
}

struct State {
    cache: Cache,
    /// The introspections that are under way.
    in_flight: HashMap<Key, InFlight>,
}

/// An introspection that is under way.
struct InFlight {
    /// About a token that did not work here before.
    stranger: bool,
    answer: AnswerReceiver,
}

type AnswerReceiver = watch::Receiver<Option<Result<Answer, Refusal>>>;

/// The agent of a token, as the Guardian answered when it was `asked`.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    identity: AgentIdentity,
    thumbprint: Option<Arc<str>>,
    key: Key,
    asked: Epoch,
    asked_at: Instant,
    ends: Option<TokenExpiry>,
}

/// The state of a token: its identity, a refusal, or a lookup that is under way.
enum TokenState {
    Known(TokenIdentity),
    Refused(Refusal),
    Pending(PendingLookup),
}

/// The result of looking at a request's token without waiting.
pub(super) enum Lookup {
    Answered(Result<AgentIdentity, Refusal>),
    /// The token is being introspected.
    Pending(PendingLookup),
}

/// An introspection that is under way, and its answer to come.
pub(super) struct PendingLookup {
    answer: AnswerReceiver,
    /// Whether it came with another request.
    joined: bool,
}

impl Tokens {
    pub(super) fn new(introspector: TokenIntrospector, timeout: Duration) -> Self {
        let fault = introspector.requirements.fault();
        if let Some(fault) = &fault {
            tracing::error!("an AuthenticateLayer refuses every request: {fault}");
        }
        let [least, most] = WAITS;
        let waits_most = timeout.saturating_mul(ASKED_MOST).clamp(least, most);
        Self {
            introspector,
            timeout,
            waits_most,
            // With every question as slow as the time-out, the first without an answer is enough. A pause
            // of either reason opens nothing here: it turns away whom it would have to ask about.
            breaker: Breaker::after(1),
            out_of_order: fault.is_some(),
            wrong_order: Once::new(),
            used_proofs: Mutex::new(UsedProofs::new(waits_most)),
            state: Mutex::new(State { cache: Cache::new(), in_flight: HashMap::new() }),
            following: OnceLock::new(),
        }
    }

    /// Returns whether tokens that are bound to a key are taken.
    pub(super) fn takes_bound(&self) -> bool {
        !self.introspector.requirements.public_urls.is_empty()
    }

    /// Returns the answer about `token`, or the lookup that is under way; one at a time for each token. A token that is
    /// bound to a key comes with its proof, which is verified here.
    pub(super) fn look(self: &Arc<Self>, token: &str, bound: Option<&Arc<Bound>>) -> Lookup {
        match self.find(token, bound) {
            TokenState::Known(known) => {
                Lookup::Answered(self.admitted(known, bound.map(Arc::as_ref)))
            }
            TokenState::Refused(refusal) => Lookup::Answered(Err(refusal)),
            TokenState::Pending(asked) => Lookup::Pending(asked),
        }
    }

    fn find(self: &Arc<Self>, token: &str, bound: Option<&Arc<Bound>>) -> TokenState {
        if self.out_of_order {
            return TokenState::Refused(Refusal::out_of_order());
        }
        let key = Key::from_token(token);
        let mut state = self.state();
        let before = match state.cache.find(&key, Instant::now()) {
            CacheLookup::Valid(known) => return TokenState::Known(known),
            CacheLookup::Invalid => return TokenState::Refused(Refusal::Inactive),
            CacheLookup::Miss(before) => before,
        };
        if let Some(lookup) = state.in_flight.get(&key) {
            return TokenState::Pending(PendingLookup {
                answer: lookup.answer.clone(),
                joined: true,
            });
        }
        // Those that worked before are as many as are remembered, and no flood keeps them out.
        let stranger = before.is_none();
        if stranger && state.strangers() >= STRANGERS_MOST {
            return TokenState::Refused(Refusal::busy());
        }
        let Ok(admission) = self.breaker.admit() else {
            return TokenState::Refused(Refusal::away());
        };
        let (answer, answered) = watch::channel(None);
        state.in_flight.insert(key, InFlight { stranger, answer: answered.clone() });
        let (tokens, token, bound) = (Arc::clone(self), token.to_owned(), bound.cloned());
        // Not on the request's own task: others wait for it when that one is given up.
        background::spawn(async move {
            let in_flight_guard = InFlightGuard { tokens: &tokens, key };
            let asking = tokens.ask(key, &token, bound.as_deref(), before);
            let verdict = match background::timeout(tokens.timeout, asking).await {
                Ok(verdict) => verdict,
                Err(elapsed) => Err(Refusal::late(&elapsed)),
            };
            match &verdict {
                Err(Refusal::Away(_, miss)) => tokens.breaker.missed(admission, *miss),
                _ => tokens.breaker.reached(),
            }
            drop(in_flight_guard);
            answer.send_replace(Some(verdict));
        });
        TokenState::Pending(PendingLookup { answer: answered, joined: false })
    }

    /// Introspects a token, and again if it was invalidated meanwhile: a request that came in between
    /// waits for this answer too, and must not be let in by one of before.
    async fn ask(
        &self,
        key: Key,
        token: &str,
        bound: Option<&Bound>,
        mut before: Option<TokenIdentity>,
    ) -> Result<Answer, Refusal> {
        for _ in 0..ASKED_MOST {
            let asked = self.state().cache.epoch();
            let introspected = match bound {
                Some(bound) => self.introspector.introspect_bound(bound, before.as_ref()).await,
                None => {
                    let before = before.as_ref().map(|before| &before.identity);
                    self.introspector.introspect(token, before).await
                }
            };
            let introspected = match introspected {
                Ok(introspected) => introspected,
                Err(refusal) => {
                    // That nobody answered says nothing of the token.
                    // Nor does a proof that was used before, which anybody could send with it.
                    if matches!(refusal, Refusal::Inactive) && bound.is_none() {
                        self.state().cache.put_bad(key, Instant::now());
                    }
                    return Err(refusal);
                }
            };
            let IntrospectedToken { known, asked_at, until } = introspected;
            let (ends, thumbprint) = (known.ends, known.thumbprint.clone());
            let standing = self.state().cache.put_good(key, known.clone(), until, asked);
            if standing == Standing::Current {
                let identity = known.admitted()?;
                return Ok(Answer { identity, thumbprint, key, asked, asked_at, ends });
            }
            before = Some(known);
        }
        Err(Refusal::stale())
    }

    /// Returns the agent that was asked for, if the answer still holds: between it and the call, a request may
    /// have waited long for a place.
    pub(super) fn still(&self, answer: Answer) -> Result<AgentIdentity, Refusal> {
        let is_bound = answer.thumbprint.is_some();
        let held = self.holds(answer);
        if is_bound { held.map_err(Refusal::of_bound) } else { held }
    }

    fn holds(&self, answer: Answer) -> Result<AgentIdentity, Refusal> {
        let Answer { identity, key, asked, asked_at, ends, .. } = answer;
        if ends.is_some_and(|ends| ends.is_over()) {
            return Err(Refusal::Inactive);
        }
        match self.state().cache.standing(asked, &key, identity.agent_id()) {
            Standing::Invalidated => Err(Refusal::Inactive),
            // It may work; a 401 would have its holder throw it away.
            Standing::Unknown => Err(Refusal::stale()),
            Standing::Current if asked_at.elapsed() > CACHED_MOST => Err(Refusal::stale()),
            Standing::Current => Ok(identity),
        }
    }

    /// Returns the agent that was asked for, if the proof that came with its token is good too. A lookup that another
    /// request began may have been refused for that one's proof: then the token is introspected once more, with this
    /// one.
    pub(super) async fn answered_bound(
        self: Arc<Self>,
        bound: Arc<Bound>,
        mut asked: PendingLookup,
    ) -> Result<Answer, Refusal> {
        for _ in 0..ASKED_MOST {
            let joined = asked.joined;
            match answered(asked).await {
                Err(Refusal::Inactive | Refusal::Bound(..)) if joined => {}
                Ok(answer) => {
                    self.prove(answer.thumbprint.as_deref(), Some(&bound))?;
                    return Ok(answer);
                }
                Err(refusal) => return Err(refusal.of_bound()),
            }
            asked = match self.find(&bound.token, Some(&bound)) {
                TokenState::Pending(asked) => asked,
                // Known since: what is known is asked about once more, so that there is a moment to it.
                TokenState::Known(_) => return Err(Refusal::stale()),
                TokenState::Refused(refusal) => return Err(refusal.of_bound()),
            };
        }
        Err(Refusal::stale())
    }

    /// Returns the agent that is known, if its token reaches as far as it has to and its proof is good.
    fn admitted(
        &self,
        known: TokenIdentity,
        bound: Option<&Bound>,
    ) -> Result<AgentIdentity, Refusal> {
        self.prove(known.thumbprint.as_deref(), bound)?;
        known.admitted()
    }

    /// Uses up the proof of a token that is bound to the key of this thumbprint, if it is good.
    fn prove(&self, thumbprint: Option<&str>, bound: Option<&Bound>) -> Result<(), Refusal> {
        let (thumbprint, bound) = match (thumbprint, bound) {
            (None, None) => return Ok(()),
            (Some(thumbprint), Some(bound)) => (thumbprint, bound),
            // What is bound comes with a proof, and nothing else does.
            _ => return Err(Refusal::Inactive),
        };
        let proof = bound.verify(thumbprint)?;
        // By then it may be forgotten that it was used.
        if bound.waited() > self.waits_most {
            return Err(Refusal::stale());
        }
        let mut used_proofs = self.used_proofs.lock().unwrap_or_else(PoisonError::into_inner);
        match used_proofs.use_up(thumbprint, &proof.jti, Instant::now()) {
            Used::First => Ok(()),
            Used::Again => Err(Refusal::proof(
                "the proof was used before; make a new one for every request".to_owned(),
            )),
            Used::TooMany => Err(Refusal::too_many_proofs()),
        }
    }

    /// Follows revocations from now on, for as long as this is there.
    pub(super) fn follow_revocations(self: &Arc<Self>) {
        let _ = self.following.set(revoked::follow(self));
    }

    /// Forgets what this revocation concerns.
    pub(super) fn invalidate(&self, revocation: &Revocation) {
        let invalidation = match revocation {
            Revocation::Token { token_sha256, agent_id, .. } => {
                match Key::from_hex(token_sha256) {
                    Some(key) => Invalidation::Token(key),
                    // Which of them is not said in a way that can be read.
                    None if !agent_id.is_empty() => Invalidation::Agent(agent_id.clone()),
                    None => Invalidation::All,
                }
            }
            Revocation::Agent { agent_id, .. } => Invalidation::Agent(agent_id.clone()),
            // Of a newer Guardian: whatever it says, it may concern anybody.
            _ => Invalidation::All,
        };
        self.state().cache.invalidate(invalidation);
    }

    pub(super) fn invalidate_all(&self) {
        self.state().cache.invalidate(Invalidation::All);
    }

    /// Returns a guard ran before it was known whose the request is. Said once, and each is refused.
    pub(super) fn wrong_order(&self) -> Refusal {
        self.wrong_order.call_once(|| {
            tracing::error!(
                "a guard ran outside of an AuthenticateLayer, and so not for the agent of the token: \
                 the layers are in the wrong order; add the AuthenticateLayer to a router after the \
                 guard's layer, so that it runs first"
            );
        });
        Refusal::out_of_order()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn strangers(&self) -> usize {
        self.in_flight.values().filter(|lookup| lookup.stranger).count()
    }
}

/// A guard that removes an introspection from those under way when it is dropped, by a panic too.
struct InFlightGuard<'a> {
    tokens: &'a Tokens,
    key: Key,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.tokens.state().in_flight.remove(&self.key);
    }
}

/// Returns the answer that is on its way.
pub(super) async fn answered(asked: PendingLookup) -> Result<Answer, Refusal> {
    let mut answer = asked.answer;
    match answer.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(verdict)) => verdict.clone(),
        _ => {
            tracing::error!(
                "looking into a token panicked; the panic was printed where it happened"
            );
            Err(Refusal::lost())
        }
    }
}
