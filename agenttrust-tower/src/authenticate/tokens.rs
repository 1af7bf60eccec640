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
use super::cache::{Cache, Found, Known};
use super::ends::Ends;
use super::forgotten::{Forgotten, Moment, Since};
use super::key::Key;
use super::question::{CACHED_MOST, Question, Worth};
use super::refusal::Refusal;
use super::revoked;
use super::seen::{Seen, Used};

/// How many tokens that nobody knows are looked into at a time ...
const STRANGERS_MOST: usize = 256;
/// ... and how often one of them, where it is taken back again and again meanwhile.
const ASKED_MOST: u32 = 3;
/// How long a request with a proof may wait for whose its token is, at least and at most, however long a question may take:
/// proofs are remembered for so much longer.
const WAITS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(300)];

/// What one layer knows of tokens.
pub(super) struct Tokens {
    pub(super) question: Question,
    /// How long a question may take.
    timeout: Duration,
    /// How long a request with a proof may have waited for the answers to its questions.
    waits_most: Duration,
    breaker: Breaker,
    /// Nobody can be let in: the layer is set up wrong, which was said.
    out_of_order: bool,
    wrong_order: Once,
    /// The proofs that were used.
    seen: Mutex<Seen>,
    state: Mutex<State>,
    /// Dropped with this: then nobody follows any more.
    following: OnceLock<oneshot::Sender<()>>,
}

struct State {
    cache: Cache,
    /// The questions on their way.
    flights: HashMap<Key, Flight>,
}

struct Flight {
    /// About a token that did not work here before.
    stranger: bool,
    answer: OnItsWay,
}

type OnItsWay = watch::Receiver<Option<Result<Answer, Refusal>>>;

/// Whose a token is, as the Guardian said it when it was asked.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    identity: AgentIdentity,
    thumbprint: Option<Arc<str>>,
    key: Key,
    asked: Moment,
    asked_at: Instant,
    ends: Option<Ends>,
}

/// What there is of a token.
enum Find {
    Known(Known),
    Refused(Refusal),
    Asking(Asked),
}

/// What there is to say of a token at once.
pub(super) enum AtOnce {
    Known(Result<AgentIdentity, Refusal>),
    /// The Guardian is being asked.
    Asking(Asked),
}

/// A question that is on its way.
pub(super) struct Asked {
    answer: OnItsWay,
    /// Whether it came with another request.
    joined: bool,
}

impl Tokens {
    pub(super) fn new(question: Question, timeout: Duration) -> Self {
        let fault = question.wanted.fault();
        if let Some(fault) = &fault {
            tracing::error!("an AuthenticateLayer lets nobody in: {fault}");
        }
        let [least, most] = WAITS;
        let waits_most = timeout.saturating_mul(ASKED_MOST).clamp(least, most);
        Self {
            question,
            timeout,
            waits_most,
            // With every question as slow as the time-out, the first without an answer is enough. A pause
            // of either reason opens nothing here: it turns away whom it would have to ask about.
            breaker: Breaker::after(1),
            out_of_order: fault.is_some(),
            wrong_order: Once::new(),
            seen: Mutex::new(Seen::new(waits_most)),
            state: Mutex::new(State { cache: Cache::new(), flights: HashMap::new() }),
            following: OnceLock::new(),
        }
    }

    /// Whether tokens that are bound to a key are taken.
    pub(super) fn takes_bound(&self) -> bool {
        !self.question.wanted.public_urls.is_empty()
    }

    /// What is known of `token`, or the answer on its way; one question at a time for each token. A token that is bound to
    /// a key comes with its proof, which is looked at here.
    pub(super) fn look(self: &Arc<Self>, token: &str, bound: Option<&Arc<Bound>>) -> AtOnce {
        match self.find(token, bound) {
            Find::Known(known) => AtOnce::Known(self.admitted(known, bound.map(Arc::as_ref))),
            Find::Refused(refusal) => AtOnce::Known(Err(refusal)),
            Find::Asking(asked) => AtOnce::Asking(asked),
        }
    }

    fn find(self: &Arc<Self>, token: &str, bound: Option<&Arc<Bound>>) -> Find {
        if self.out_of_order {
            return Find::Refused(Refusal::out_of_order());
        }
        let key = Key::from_token(token);
        let mut state = self.state();
        let before = match state.cache.find(&key, Instant::now()) {
            Found::Good(known) => return Find::Known(known),
            Found::Bad => return Find::Refused(Refusal::Inactive),
            Found::Nothing(before) => before,
        };
        if let Some(flight) = state.flights.get(&key) {
            return Find::Asking(Asked { answer: flight.answer.clone(), joined: true });
        }
        // Those that worked before are as many as are remembered, and no flood keeps them out.
        let stranger = before.is_none();
        if stranger && state.strangers() >= STRANGERS_MOST {
            return Find::Refused(Refusal::busy());
        }
        let Ok(admission) = self.breaker.admit() else {
            return Find::Refused(Refusal::away());
        };
        let (answer, answered) = watch::channel(None);
        state.flights.insert(key, Flight { stranger, answer: answered.clone() });
        let (tokens, token, bound) = (Arc::clone(self), token.to_owned(), bound.cloned());
        // Not on the request's own task: others wait for it when that one is given up.
        background::spawn(async move {
            let landed = Landed { tokens: &tokens, key };
            let asking = tokens.ask(key, &token, bound.as_deref(), before);
            let verdict = match background::timeout(tokens.timeout, asking).await {
                Ok(verdict) => verdict,
                Err(elapsed) => Err(Refusal::late(&elapsed)),
            };
            match &verdict {
                Err(Refusal::Away(_, miss)) => tokens.breaker.missed(admission, *miss),
                _ => tokens.breaker.reached(),
            }
            drop(landed);
            answer.send_replace(Some(verdict));
        });
        Find::Asking(Asked { answer: answered, joined: false })
    }

    /// Asks what a token is worth, and again if it was taken back meanwhile: whoever came in between
    /// waits for this answer too, and must not be let in by one of before.
    async fn ask(
        &self,
        key: Key,
        token: &str,
        bound: Option<&Bound>,
        mut before: Option<Known>,
    ) -> Result<Answer, Refusal> {
        for _ in 0..ASKED_MOST {
            let asked = self.state().cache.moment();
            let worth = match bound {
                Some(bound) => self.question.ask_bound(bound, before.as_ref()).await,
                None => {
                    let before = before.as_ref().map(|before| &before.identity);
                    self.question.ask(token, before).await
                }
            };
            let worth = match worth {
                Ok(worth) => worth,
                Err(refusal) => {
                    // That nobody answered says nothing of the token.
                    // Nor does a proof that was used before, which anybody could send with it.
                    if matches!(refusal, Refusal::Inactive) && bound.is_none() {
                        self.state().cache.put_bad(key, Instant::now());
                    }
                    return Err(refusal);
                }
            };
            let Worth { known, asked_at, until } = worth;
            let (ends, thumbprint) = (known.ends, known.thumbprint.clone());
            let since = self.state().cache.put_good(key, known.clone(), until, asked);
            if since == Since::Nothing {
                let identity = known.admitted()?;
                return Ok(Answer { identity, thumbprint, key, asked, asked_at, ends });
            }
            before = Some(known);
        }
        Err(Refusal::stale())
    }

    /// The agent that was asked for, if the answer still holds: between it and the call, a request may
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
        match self.state().cache.since(asked, &key, identity.agent_id()) {
            Since::Named => Err(Refusal::Inactive),
            // It may work; a 401 would have its holder throw it away.
            Since::Perhaps => Err(Refusal::stale()),
            Since::Nothing if asked_at.elapsed() > CACHED_MOST => Err(Refusal::stale()),
            Since::Nothing => Ok(identity),
        }
    }

    /// The agent that was asked for, if the proof that came with its token is good too. A question that another request
    /// came with may have been refused for that one's proof: then it is asked once more, with this one.
    pub(super) async fn answered_bound(
        self: Arc<Self>,
        bound: Arc<Bound>,
        mut asked: Asked,
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
                Find::Asking(asked) => asked,
                // Known since: what is known is asked about once more, so that there is a moment to it.
                Find::Known(_) => return Err(Refusal::stale()),
                Find::Refused(refusal) => return Err(refusal.of_bound()),
            };
        }
        Err(Refusal::stale())
    }

    /// The agent that is known, if its token reaches as far as it has to and its proof is good.
    fn admitted(&self, known: Known, bound: Option<&Bound>) -> Result<AgentIdentity, Refusal> {
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
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.use_up(thumbprint, &proof.jti, Instant::now()) {
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
    pub(super) fn forget(&self, revocation: &Revocation) {
        let forgotten = match revocation {
            Revocation::Token { token_sha256, agent_id, .. } => {
                match Key::from_hex(token_sha256) {
                    Some(key) => Forgotten::Token(key),
                    // Which of them is not said in a way that can be read.
                    None if !agent_id.is_empty() => Forgotten::Agent(agent_id.clone()),
                    None => Forgotten::All,
                }
            }
            Revocation::Agent { agent_id, .. } => Forgotten::Agent(agent_id.clone()),
            // Of a newer Guardian: whatever it says, it may concern anybody.
            _ => Forgotten::All,
        };
        self.state().cache.forget(forgotten);
    }

    pub(super) fn forget_all(&self) {
        self.state().cache.forget(Forgotten::All);
    }

    /// A guard ran before it was known whose the request is. Said once, and each is refused.
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
        self.flights.values().filter(|flight| flight.stranger).count()
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
pub(super) async fn answered(asked: Asked) -> Result<Answer, Refusal> {
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
