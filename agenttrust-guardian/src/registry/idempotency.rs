//! Checks that carried an `Idempotency-Key`: a repeated one gets the answer of the first, or waits for it.
//!
//! Answers are kept for a minute, and so many and so much of them at once. Beyond that the oldest go first. A check
//! whose answer is forgotten is decided again when it is repeated. The second answer never allows more than the first;
//! it may be a hold if the first one used up an approval. What is being decided is never forgotten, so that one check
//! is not decided twice at the same time.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust::Timestamp;
use futures_util::future::{BoxFuture, Shared};
use lru::LruCache;

use super::{at_most, lock};
use crate::domain::{Answer, Error};

/// The time for which an answer is repeated.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// The number of answers that are kept ...
const KEPT: NonZeroUsize = at_most(10_000);
/// ... and how much they take, in bytes: an answer may list what an agent may do.
const KEPT_BYTES: usize = 16 << 20;
/// The bytes of an answer beside its texts.
const ENTRY_BYTES: usize = 1 << 10;
/// The number of the oldest answers that are looked at for one that comes, so that this never takes long.
const LOOKED_AT: usize = 16;

/// A decision that several callers wait for: those that sent a check twice, and those that come again.
pub(crate) type Deciding = Shared<BoxFuture<'static, Decided>>;

/// The answer to a check, or the error instead of one.
pub(crate) type Decided = Result<Arc<Answer>, Error>;

/// The state of an idempotency key.
pub(crate) enum Place {
    /// The key is new: this decision is the first one under it.
    First(Deciding),
    /// The same check was asked before.
    Again(Deciding),
    /// Another check was asked under the key.
    Taken,
}

#[derive(Debug)]
struct Entry {
    body: [u8; 32],
    until: Timestamp,
    deciding: Deciding,
    weight: Arc<Weight>,
}

impl Entry {
    /// Returns whether the decision is under way: it lets its weight go when it ends, also when it panics.
    fn runs(&self) -> bool {
        Arc::strong_count(&self.weight) > 1
    }

    /// Returns whether the answer is there and must not be repeated: an error, or a check not decided in time.
    fn is_void(&self) -> bool {
        self.deciding
            .peek()
            .is_some_and(|decided| !decided.as_ref().is_ok_and(|answer| answer.is_decided()))
    }
}

/// The weight of one answer, as part of all of them.
#[derive(Debug)]
pub(crate) struct Weight {
    all: Arc<AtomicUsize>,
    own: AtomicUsize,
}

impl Weight {
    fn new(all: &Arc<AtomicUsize>, bytes: usize) -> Arc<Self> {
        let weight = Self { all: Arc::clone(all), own: AtomicUsize::new(0) };
        weight.add(bytes);
        Arc::new(weight)
    }

    /// Counts so many bytes more.
    pub(crate) fn add(&self, bytes: usize) {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.own.get_mut(), Ordering::Relaxed);
    }
}

/// The decisions by key id and idempotency key, the oldest last in the cache's order.
#[derive(Debug)]
pub(crate) struct IdempotencyCache {
    by_key: Mutex<LruCache<(String, String), Entry>>,
    bytes: Arc<AtomicUsize>,
}

impl Default for IdempotencyCache {
    fn default() -> Self {
        Self { by_key: Mutex::new(LruCache::unbounded()), bytes: Arc::default() }
    }
}

/// A check that may be asked again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeatable<'a> {
    /// The key that asks; another key's checks are others.
    pub(crate) key_id: &'a str,
    pub(crate) idempotency_key: &'a str,
    /// The digest that tells one check from another.
    pub(crate) body: [u8; 32],
}

impl IdempotencyCache {
    /// Returns what is known of this idempotency key; where that is nothing, the decision that `begin` makes is
    /// from now on. It holds the weight while it runs, and adds to it what its answer takes.
    pub(crate) fn place(
        &self,
        asked: &Repeatable<'_>,
        now: Timestamp,
        begin: impl FnOnce(Arc<Weight>) -> Deciding,
    ) -> Place {
        let Repeatable { key_id, idempotency_key, body } = *asked;
        let key = (key_id.to_owned(), idempotency_key.to_owned());
        let mut by_key = lock(&self.by_key);
        // Looked at without making it younger: the order is that of when each was asked first.
        // What is under way is joined however long it takes, so that it is never decided twice.
        let is_kept = |entry: &&Entry| (entry.until > now || entry.runs()) && !entry.is_void();
        if let Some(entry) = by_key.peek(&key).filter(is_kept) {
            return if entry.body == body {
                Place::Again(entry.deciding.clone())
            } else {
                Place::Taken
            };
        }
        let weight = Weight::new(&self.bytes, ENTRY_BYTES + key_id.len() + idempotency_key.len());
        let deciding = begin(Arc::clone(&weight));
        let until = now.saturating_add(KEPT_FOR);
        by_key.put(key, Entry { body, until, deciding: deciding.clone(), weight });
        self.make_room(&mut by_key, now);
        Place::First(deciding)
    }

    /// Forgets of the oldest what is over, and what is too much.
    fn make_room(&self, by_key: &mut LruCache<(String, String), Entry>, now: Timestamp) {
        for _ in 0..LOOKED_AT {
            let is_full =
                by_key.len() > KEPT.get() || self.bytes.load(Ordering::Relaxed) > KEPT_BYTES;
            let Some((_, oldest)) = by_key.peek_lru() else { return };
            if !is_full && oldest.until > now {
                return;
            }
            let runs = oldest.runs();
            if let Some((key, entry)) = by_key.pop_lru()
                && runs
            {
                // It is looked at again after the others.
                by_key.put(key, entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::pending;

    use agenttrust::model::CheckResult;

    use super::*;
    use crate::domain::DecisionKind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros(second * 1_000_000).unwrap()
    }

    /// Asks for a check under this key, whose decision is under way or comes to an answer of these bytes.
    fn ask(repeats: &IdempotencyCache, key: &str, now: Timestamp, bytes: Option<usize>) -> Place {
        let asked = Repeatable { key_id: "key_1", idempotency_key: key, body: [0; 32] };
        let place = repeats.place(&asked, now, |weight| {
            let deciding = async move {
                match bytes {
                    Some(bytes) => weight.add(bytes),
                    None => pending().await,
                }
                Ok(trial_answer())
            };
            deciding.boxed().shared()
        });
        if let Place::First(deciding) = &place {
            let _ = deciding.clone().now_or_never();
        }
        place
    }

    fn trial_answer() -> Arc<Answer> {
        let (result, decision) = (CheckResult::default(), DecisionKind::Allow);
        Arc::new(Answer { result, enforced: None, decision, policies: Vec::new(), access: None })
    }

    fn knows(repeats: &IdempotencyCache, key: &str) -> bool {
        lock(&repeats.by_key).peek(&("key_1".to_owned(), key.to_owned())).is_some()
    }

    #[test]
    fn answers_take_so_many_bytes_and_the_oldest_go_first() {
        let repeats = IdempotencyCache::default();
        assert!(matches!(ask(&repeats, "under way", at(0), None), Place::First(_)));
        for n in 0..5_000 {
            assert!(matches!(
                ask(&repeats, &n.to_string(), at(0), Some(12 << 10)),
                Place::First(_)
            ));
            // The last one is weighed after it was let in.
            assert!(repeats.bytes.load(Ordering::Relaxed) <= KEPT_BYTES + (12 << 10));
        }
        assert!(knows(&repeats, "4999") && knows(&repeats, "4000"));
        assert!(!knows(&repeats, "0") && !knows(&repeats, "3000"));
        // What is under way stays, and is found by the one who asks again.
        assert!(matches!(ask(&repeats, "under way", at(1), Some(0)), Place::Again(_)));
        assert!(matches!(ask(&repeats, "4999", at(1), Some(0)), Place::Again(_)));
        assert!(matches!(ask(&repeats, "0", at(1), Some(0)), Place::First(_)));
    }

    #[test]
    fn answers_that_are_over_take_nothing() {
        let repeats = IdempotencyCache::default();
        for n in 0..100 {
            ask(&repeats, &n.to_string(), at(0), Some(12 << 10));
        }
        for n in 100..110 {
            ask(&repeats, &n.to_string(), at(60), Some(12 << 10));
        }
        assert_eq!(lock(&repeats.by_key).len(), 10);
        lock(&repeats.by_key).clear();
        assert_eq!(repeats.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_more_answers_are_kept_than_may_be() {
        let repeats = IdempotencyCache::default();
        for n in 0..KEPT.get() + 100 {
            ask(&repeats, &n.to_string(), at(0), Some(0));
        }
        assert_eq!(lock(&repeats.by_key).len(), KEPT.get());
    }
}
