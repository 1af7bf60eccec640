//! Checks that carried an `Idempotency-Key`: a repeated one gets the answer of the first.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust::Timestamp;
use lru::LruCache;
use tokio::sync::OnceCell;

use super::{at_most, lock};
use crate::pipeline::Answer;

/// How long an answer is repeated.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many answers are kept; the least recently used goes first.
const KEPT: NonZeroUsize = at_most(10_000);

/// The place where the answer to one check is, or will be.
pub(crate) type Repeat = Arc<OnceCell<Answer>>;

#[derive(Debug)]
struct Entry {
    body: [u8; 32],
    until: Timestamp,
    answer: Repeat,
}

/// The answers by key id and idempotency key.
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
    /// Where the answer is; `None` when the same idempotency key came with another body.
    pub(crate) fn find(
        &self,
        key_id: &str,
        idempotency_key: &str,
        body: [u8; 32],
        now: Timestamp,
    ) -> Option<Repeat> {
        let key = (key_id.to_owned(), idempotency_key.to_owned());
        let mut by_key = lock(&self.by_key);
        if let Some(entry) = by_key.get(&key).filter(|entry| entry.until > now) {
            return (entry.body == body).then(|| Arc::clone(&entry.answer));
        }
        let answer = Repeat::default();
        let entry =
            Entry { body, until: now.saturating_add(KEPT_FOR), answer: Arc::clone(&answer) };
        by_key.put(key, entry);
        Some(answer)
    }
}
