//! Sessions that a caller named itself: counted by agent and id, bounded, and in memory only. Each replica
//! counts those checks that it answered, since it was started.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use agenttrust::Timestamp;
use lru::LruCache;

use super::{at_most, lock};
use crate::store::Counts;

/// The number of ad-hoc sessions that are remembered; the least recently used goes first.
const REMEMBERED: NonZeroUsize = at_most(10_000);

/// The counters of one ad-hoc session.
#[derive(Debug)]
pub(crate) struct AdHocEntry {
    counts: Mutex<Counts>,
    pub(crate) created_at: Timestamp,
}

impl AdHocEntry {
    /// Counts one check.
    pub(crate) fn count(&self, read: bool, denied: bool, at: Timestamp) {
        lock(&self.counts).count(read, denied, at);
    }

    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.counts)
    }
}

/// The ad-hoc sessions by agent and id: the same id from another agent is another session.
#[derive(Debug)]
pub(crate) struct AdHoc {
    by_agent_and_id: Mutex<LruCache<(String, String), Arc<AdHocEntry>>>,
}

impl Default for AdHoc {
    fn default() -> Self {
        Self { by_agent_and_id: Mutex::new(LruCache::new(REMEMBERED)) }
    }
}

impl AdHoc {
    /// Returns this agent's ad-hoc session of this id, begun now if it is new.
    pub(crate) fn enter(&self, agent_id: &str, id: &str, now: Timestamp) -> Arc<AdHocEntry> {
        let counts = || Mutex::new(Counts::none(now));
        let begin = || Arc::new(AdHocEntry { counts: counts(), created_at: now });
        let key = (agent_id.to_owned(), id.to_owned());
        Arc::clone(lock(&self.by_agent_and_id).get_or_insert(key, begin))
    }

    /// Returns this agent's ad-hoc session of this id.
    pub(crate) fn get(&self, agent_id: &str, id: &str) -> Option<Arc<AdHocEntry>> {
        let key = (agent_id.to_owned(), id.to_owned());
        lock(&self.by_agent_and_id).peek(&key).cloned()
    }
}
