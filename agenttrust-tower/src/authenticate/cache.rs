//! What is known of tokens for a while: whose they are, or that they do not work.
//!
//! Keyed by the digest of the token, so that no token is kept; both sides bounded, each by itself, so
//! that made-up tokens push out no real ones.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use agenttrust::AgentIdentity;
use lru::LruCache;
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

const GOOD: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
const BAD: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// How long it is remembered that a token does not work.
const REMEMBERED_BAD: Duration = Duration::from_secs(2);

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The lower-case hexadecimal form, as revocations name tokens.
    fn is_hex(&self, hex: &str) -> bool {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16));
        digits.eq(hex.chars())
    }
}

/// The agent behind a token, and what its token lacks of what is required here.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) identity: AgentIdentity,
    pub(super) missing: Option<String>,
}

impl Known {
    /// The agent, if its token reaches as far as it has to.
    pub(super) fn admitted(self) -> Result<AgentIdentity, Refusal> {
        self.missing.map_or(Ok(self.identity), |scope| Err(Refusal::OutOfScope(scope)))
    }
}

struct Good {
    known: Known,
    /// From then on the Guardian is asked again.
    until: Instant,
}

pub(super) enum Found {
    /// Good for now.
    Good(Known),
    /// Does not work, as of a moment ago.
    Bad,
    /// Nobody knows; what was known before, if anything was.
    Nothing(Option<AgentIdentity>),
}

pub(super) struct Cache {
    good: LruCache<Key, Good>,
    bad: LruCache<Key, Instant>,
    /// How often something was forgotten: what was asked before then is not to be remembered.
    epoch: u64,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self { good: LruCache::new(GOOD), bad: LruCache::new(BAD), epoch: 0 }
    }

    pub(super) fn find(&mut self, key: &Key, now: Instant) -> Found {
        if let Some(good) = self.good.get(key) {
            if now < good.until {
                return Found::Good(good.known.clone());
            }
            return Found::Nothing(Some(good.known.identity.clone()));
        }
        match self.bad.peek(key) {
            Some(until) if now < *until => Found::Bad,
            _ => Found::Nothing(None),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn put_good(&mut self, key: Key, known: Known, until: Instant, epoch: u64) {
        if epoch == self.epoch {
            self.bad.pop(&key);
            self.good.put(key, Good { known, until });
        }
    }

    pub(super) fn put_bad(&mut self, key: Key, now: Instant) {
        self.good.pop(&key);
        self.bad.put(key, now + REMEMBERED_BAD);
    }

    pub(super) fn forget_token(&mut self, hex: &str) {
        self.forget(|key, _| key.is_hex(hex));
    }

    pub(super) fn forget_agent(&mut self, agent_id: &str) {
        self.forget(|_, known| known.identity.agent_id() == agent_id);
    }

    pub(super) fn forget_all(&mut self) {
        self.forget(|_, _| true);
    }

    fn forget(&mut self, which: impl Fn(&Key, &Known) -> bool) {
        self.epoch += 1;
        let found = self.good.iter().filter(|(key, good)| which(key, &good.known));
        let keys: Vec<Key> = found.map(|(key, _)| *key).collect();
        for key in keys {
            self.good.pop(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn known(agent: &str) -> Known {
        Known { identity: AgentIdentity::new(agent, "ats_1"), missing: None }
    }

    fn is_good(cache: &mut Cache, token: &str) -> bool {
        matches!(cache.find(&Key::of(token), Instant::now()), Found::Good(_))
    }

    #[test]
    fn made_up_tokens_push_out_no_real_ones_and_are_bounded() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        cache.put_good(Key::of("at_good"), known("agt_1"), now + LONG, 0);
        for n in 0..10_000 {
            cache.put_bad(Key::of(&format!("at_{n}")), now);
        }
        assert!(is_good(&mut cache, "at_good"));
        assert_eq!((cache.good.len(), cache.bad.len()), (1, BAD.get()));
        for n in 0..10_000 {
            cache.put_good(Key::of(&format!("at_{n}")), known("agt_1"), now + LONG, 0);
        }
        assert_eq!(cache.good.len(), GOOD.get());
    }

    #[test]
    fn an_answer_that_was_asked_for_before_a_revocation_is_not_remembered() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        let epoch = cache.epoch();
        cache.forget_agent("agt_2");
        cache.put_good(Key::of("at_1"), known("agt_1"), now + LONG, epoch);
        assert!(!is_good(&mut cache, "at_1"));
        cache.put_good(Key::of("at_1"), known("agt_1"), now + LONG, cache.epoch());
        assert!(is_good(&mut cache, "at_1"));
    }

    #[test]
    fn a_token_is_forgotten_by_its_digest_by_its_agent_or_with_all() {
        let forgets = |forget: fn(&mut Cache)| {
            let (mut cache, now) = (Cache::new(), Instant::now());
            for (token, agent) in [("at_1", "agt_1"), ("at_2", "agt_1"), ("at_3", "agt_3")] {
                cache.put_good(Key::of(token), known(agent), now + LONG, 0);
            }
            forget(&mut cache);
            ["at_1", "at_2", "at_3"].map(|token| is_good(&mut cache, token))
        };
        let by_digest: fn(&mut Cache) =
            |cache| cache.forget_token(&agenttrust::Revocation::token_sha256("at_1"));
        assert_eq!(forgets(by_digest), [false, true, true]);
        assert_eq!(forgets(|cache| cache.forget_agent("agt_1")), [false, false, true]);
        assert_eq!(forgets(Cache::forget_all), [false; 3]);
        assert_eq!(forgets(|cache| cache.forget_token("at_1")), [true; 3]);
    }

    #[test]
    fn what_was_known_helps_to_ask_again_and_lets_nobody_in() {
        let (mut cache, now) = (Cache::new(), Instant::now());
        cache.put_good(Key::of("at_1"), known("agt_1"), now, 0);
        let found = cache.find(&Key::of("at_1"), now);
        assert!(matches!(found, Found::Nothing(Some(before)) if before.agent_id() == "agt_1"));
        cache.put_bad(Key::of("at_1"), now);
        assert!(matches!(cache.find(&Key::of("at_1"), now), Found::Bad));
        let later = now + REMEMBERED_BAD;
        assert!(matches!(cache.find(&Key::of("at_1"), later), Found::Nothing(None)));
    }
}
