//! Checks that carried an `Idempotency-Key`: a repeated one gets the answer of the first, or waits for it.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use agenttrust::Timestamp;
use lru::LruCache;

use super::{at_most, lock};
use crate::pipeline::Deciding;

/// How long an answer is repeated.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many answers are kept; the least recently used goes first.
const KEPT: NonZeroUsize = at_most(10_000);

/// What is known of an idempotency key.
pub(crate) enum Place {
    /// Nothing: this decision is the first one under it.
    First(Deciding),
    /// This check was asked before.
    Again(Deciding),
    /// Another check was.
    Taken,
}

#[derive(Debug)]
struct Entry {
    body: [u8; 32],
    until: Timestamp,
    deciding: Deciding,
}

impl Entry {
    /// Whether the answer is there and is none to be repeated: an error, or a check not decided in time.
    fn is_void(&self) -> bool {
        self.deciding
            .peek()
            .is_some_and(|decided| !decided.as_ref().is_ok_and(|answer| answer.is_decided()))
    }
}

/// The decisions by key id and idempotency key.
#[derive(Debug)]
pub(crate) struct Repeats {
    by_key: Mutex<LruCache<(String, String), Entry>>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { by_key: Mutex::new(LruCache::new(KEPT)) }
    }
}

impl Repeats {
    /// What is known of this idempotency key; where that is nothing, the decision that `begin` makes is
    /// from now on.
    pub(crate) fn place(
        &self,
        key_id: &str,
        idempotency_key: &str,
        body: [u8; 32],
        now: Timestamp,
        begin: impl FnOnce() -> Deciding,
    ) -> Place {
        let key = (key_id.to_owned(), idempotency_key.to_owned());
        let mut by_key = lock(&self.by_key);
        if let Some(entry) = by_key.get(&key).filter(|entry| entry.until > now && !entry.is_void())
        {
            return if entry.body == body {
                Place::Again(entry.deciding.clone())
            } else {
                Place::Taken
            };
        }
        let deciding = begin();
        let entry = Entry { body, until: now.saturating_add(KEPT_FOR), deciding: deciding.clone() };
        by_key.put(key, entry);
        Place::First(deciding)
    }
}
