//! Sessions that a caller named itself: counted by agent and id, in memory only, bounded.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use agenttrust::Timestamp;
use lru::LruCache;

use super::sessions::Counters;
use super::{at_most, lock};

/// How many ad-hoc sessions are remembered; the least recently used goes first.
const REMEMBERED: NonZeroUsize = at_most(10_000);

/// The counters of one ad-hoc session.
#[derive(Debug)]
pub(crate) struct AdHocEntry {
    pub(crate) counters: Counters,
    pub(crate) created_at: Timestamp,
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
    /// This agent's ad-hoc session of this id, begun now if it is new.
    pub(crate) fn enter(&self, agent_id: &str, id: &str, now: Timestamp) -> Arc<AdHocEntry> {
        let begin = || Arc::new(AdHocEntry { counters: Counters::new(now), created_at: now });
        let key = (agent_id.to_owned(), id.to_owned());
        Arc::clone(lock(&self.by_agent_and_id).get_or_insert(key, begin))
    }

    /// This agent's ad-hoc session of this id.
    pub(crate) fn get(&self, agent_id: &str, id: &str) -> Option<Arc<AdHocEntry>> {
        let key = (agent_id.to_owned(), id.to_owned());
        lock(&self.by_agent_and_id).peek(&key).cloned()
    }
}
