//! What is known of tokens for a while: whose they are, or that they do not work.
//!
//! Both sides are bounded, each by itself, so that made-up tokens push out no real ones. The part of one agent is
//! bounded too, so that many tokens of one agent push out none of others.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::AgentIdentity;
use lru::LruCache;

use super::invalidation::{Epoch, Invalidation, InvalidationLog, Standing};
use super::key::Key;
use super::refusal::Refusal;
use super::token_expiry::TokenExpiry;

const GOOD: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
const BAD: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// The largest number of tokens of one agent that are known.
const GOOD_OF_ONE: usize = 256;
/// The time for which the cache remembers that a token does not work.
const REMEMBERED_BAD: Duration = Duration::from_secs(2);

/// The agent behind a token, and the scope that is required here and that its token lacks.
#[derive(Clone, Debug)]
pub(super) struct TokenIdentity {
    pub(super) identity: AgentIdentity,
    pub(super) missing: Option<String>,
    /// The time when the token ends; `None` where the Guardian did not say, or the token is about to end.
    pub(super) ends: Option<TokenExpiry>,
    /// The thumbprint of the key that its token is bound to; `None` for a token that is bound to none.
    pub(super) thumbprint: Option<Arc<str>>,
}

impl TokenIdentity {
    /// Returns the agent, if its token reaches as far as it has to.
    pub(super) fn admitted(self) -> Result<AgentIdentity, Refusal> {
        self.missing.map_or(Ok(self.identity), |scope| Err(Refusal::OutOfScope(scope)))
    }
}

struct Good {
    known: TokenIdentity,
    /// The time from which on the Guardian is asked again.
    until: Instant,
}

impl Good {
    /// Returns whether the entry is still good. A machine that was suspended did not count that time towards `until`;
    /// the end of the token does.
    fn is_good(&self, now: Instant) -> bool {
        now < self.until && !self.known.ends.is_some_and(|ends| ends.is_over())
    }
}

/// The entry of the cache for a token.
pub(super) enum CacheLookup {
    /// The token works, and need not be introspected again yet.
    Valid(TokenIdentity),
    /// The token did not work a moment ago.
    Invalid,
    /// No valid entry; with the expired one, if there was one.
    Miss(Option<TokenIdentity>),
}

pub(super) struct Cache {
    good: LruCache<Key, Good>,
    bad: LruCache<Key, Instant>,
    invalidations: InvalidationLog,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            good: LruCache::new(GOOD),
            bad: LruCache::new(BAD),
            invalidations: InvalidationLog::default(),
        }
    }

    pub(super) fn find(&mut self, key: &Key, now: Instant) -> CacheLookup {
        if let Some(good) = self.good.get(key) {
            if good.is_good(now) {
                return CacheLookup::Valid(good.known.clone());
            }
            return CacheLookup::Miss(Some(good.known.clone()));
        }
        match self.bad.peek(key) {
            Some(until) if now < *until => CacheLookup::Invalid,
            _ => CacheLookup::Miss(None),
        }
    }

    /// Returns the present point in the log of invalidations, for an answer that is asked for from here on.
    pub(super) fn epoch(&self) -> Epoch {
        self.invalidations.now()
    }

    /// Returns whether an answer of `asked` about a token still holds.
    pub(super) fn standing(&self, asked: Epoch, key: &Key, agent_id: &str) -> Standing {
        self.invalidations.standing(asked, key, agent_id)
    }

    /// Caches whose a token is. A token that was invalidated since `asked` admits no request, and its entry is kept to
    /// ask again by: its session can be gone on with.
    ///
    /// There is nothing newer about the token: it is introspected once at a time.
    pub(super) fn put_good(
        &mut self,
        key: Key,
        known: TokenIdentity,
        until: Instant,
        asked: Epoch,
    ) -> Standing {
        let agent_id = known.identity.agent_id().to_owned();
        let standing = self.invalidations.standing(asked, &key, &agent_id);
        let until = if standing == Standing::Current { until } else { until.min(Instant::now()) };
        self.bad.pop(&key);
        self.good.put(key, Good { known, until });
        // The most recently used come first.
        let of_agent = |(_, good): &(&Key, &Good)| good.known.identity.agent_id() == agent_id;
        let too_many = self.good.iter().filter(of_agent).nth(GOOD_OF_ONE).map(|(key, _)| *key);
        if let Some(key) = too_many {
            self.good.pop(&key);
        }
        standing
    }

    pub(super) fn put_bad(&mut self, key: Key, now: Instant) {
        self.good.pop(&key);
        self.bad.put(key, now + REMEMBERED_BAD);
    }

    /// Makes the next request ask again about each token that this concerns. Whose a token was, and in which session,
    /// is kept for that.
    pub(super) fn invalidate(&mut self, invalidation: Invalidation) {
        let now = Instant::now();
        for (key, good) in &mut self.good {
            if invalidation.concerns(key, good.known.identity.agent_id()) {
                good.until = good.until.min(now);
            }
        }
        self.invalidations.add(invalidation);
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::internal::SuspendAwareInstant;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn known(agent: &str) -> TokenIdentity {
        let identity = AgentIdentity::new(agent, "ats_1");
        TokenIdentity { identity, missing: None, ends: None, thumbprint: None }
    }

    fn put(cache: &mut Cache, token: &str, agent: &str) {
        let asked = cache.epoch();
        cache.put_good(Key::from_token(token), known(agent), Instant::now() + LONG, asked);
    }

    fn is_good(cache: &mut Cache, token: &str) -> bool {
        matches!(cache.find(&Key::from_token(token), Instant::now()), CacheLookup::Valid(_))
    }

    fn session(cache: &mut Cache, token: &str) -> Option<String> {
        match cache.find(&Key::from_token(token), Instant::now()) {
            CacheLookup::Miss(before) => {
                before.map(|before| before.identity.session_id().to_owned())
            }
            _ => None,
        }
    }

    #[test]
    fn made_up_tokens_push_out_no_real_ones_and_are_bounded() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        put(&mut cache, "at_good", "agt_1");
        for n in 0..10_000 {
            cache.put_bad(Key::from_token(&format!("at_{n}")), now);
        }
        assert!(is_good(&mut cache, "at_good"));
        assert_eq!((cache.good.len(), cache.bad.len()), (1, BAD.get()));
        for n in 0..5_000 {
            put(&mut cache, &format!("at_{n}"), &format!("agt_{}", n % 100));
        }
        assert_eq!(cache.good.len(), GOOD.get());
    }

    #[test]
    fn many_tokens_of_one_agent_push_out_its_own_and_no_others() {
        let mut cache = Cache::new();
        put(&mut cache, "at_other", "agt_other");
        put(&mut cache, "at_used", "agt_1");
        for n in 0..5_000 {
            put(&mut cache, &format!("at_{n}"), "agt_1");
            assert!(is_good(&mut cache, "at_used"));
        }
        assert!(is_good(&mut cache, "at_other"));
        assert!(is_good(&mut cache, "at_4999") && !is_good(&mut cache, "at_0"));
        assert_eq!(cache.good.len(), 1 + GOOD_OF_ONE);
    }

    #[test]
    fn an_answer_that_was_asked_for_before_its_revocation_lets_nobody_in() {
        for named in
            [Invalidation::Token(Key::from_token("at_1")), Invalidation::Agent("agt_1".to_owned())]
        {
            let mut cache = Cache::new();
            let (asked, until) = (cache.epoch(), Instant::now() + LONG);
            cache.invalidate(named);
            let since = cache.put_good(Key::from_token("at_1"), known("agt_1"), until, asked);
            assert_eq!(since, Standing::Invalidated);
            assert!(!is_good(&mut cache, "at_1"));
            assert_eq!(session(&mut cache, "at_1").as_deref(), Some("ats_1"));
            put(&mut cache, "at_1", "agt_1");
            assert!(is_good(&mut cache, "at_1"));
        }
    }

    #[test]
    fn revocations_of_others_stop_nothing_from_being_remembered() {
        let mut cache = Cache::new();
        let (asked, until) = (cache.epoch(), Instant::now() + LONG);
        cache.invalidate(Invalidation::Agent("agt_2".to_owned()));
        cache.invalidate(Invalidation::Token(Key::from_token("at_2")));
        cache.put_good(Key::from_token("at_1"), known("agt_1"), until, asked);
        assert!(is_good(&mut cache, "at_1"));
    }

    #[test]
    fn a_token_is_invalidated_by_its_digest_by_its_agent_or_with_all_and_keeps_its_session() {
        let tokens = ["at_1", "at_2", "at_3"];
        let invalidates = |invalidation: Invalidation| {
            let mut cache = Cache::new();
            for (token, agent) in tokens.into_iter().zip(["agt_1", "agt_1", "agt_3"]) {
                put(&mut cache, token, agent);
            }
            cache.invalidate(invalidation);
            tokens.map(|token| match session(&mut cache, token).as_deref() {
                Some("ats_1") => false,
                _ => is_good(&mut cache, token),
            })
        };
        assert_eq!(invalidates(Invalidation::Token(Key::from_token("at_1"))), [false, true, true]);
        assert_eq!(invalidates(Invalidation::Agent("agt_1".to_owned())), [false, false, true]);
        assert_eq!(invalidates(Invalidation::All), [false; 3]);
    }

    #[test]
    fn what_was_known_helps_to_ask_again_and_lets_nobody_in() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        cache.put_good(Key::from_token("at_1"), known("agt_1"), now, cache.epoch());
        assert_eq!(session(&mut cache, "at_1").as_deref(), Some("ats_1"));
        cache.put_bad(Key::from_token("at_1"), now);
        assert!(matches!(cache.find(&Key::from_token("at_1"), now), CacheLookup::Invalid));
        let later = now + REMEMBERED_BAD;
        assert!(matches!(cache.find(&Key::from_token("at_1"), later), CacheLookup::Miss(None)));
    }

    #[test]
    fn a_token_that_ended_while_the_machine_slept_is_asked_about_again() {
        let mut cache = Cache::new();
        let mut known = known("agt_1");
        known.ends = Some(TokenExpiry::new(SuspendAwareInstant::now(), Duration::ZERO));
        cache.put_good(Key::from_token("at_1"), known, Instant::now() + LONG, cache.epoch());
        assert!(!is_good(&mut cache, "at_1"));
    }
}
