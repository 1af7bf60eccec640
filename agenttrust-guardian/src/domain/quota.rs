//! How much an agent may report that no check vouches for: so much an hour at each Guardian, and so much that
//! is kept. Otherwise one key could fill the disk with it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// The number of rows an hour.
const AN_HOUR: usize = 10_000;
/// The number of rows that are kept.
const KEPT: usize = 100_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// The number of agents that are remembered; the one that reported longest ago goes first.
const AGENTS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(agents) => agents,
    None => NonZeroUsize::MIN,
};

/// The rows that each agent used up of its quota.
#[derive(Debug)]
pub(crate) struct Quota(Mutex<LruCache<String, Used>>);

#[derive(Debug)]
struct Used {
    since: Instant,
    rows: usize,
    /// The number of rows that are kept; `None` before they were counted in this hour.
    kept: Option<usize>,
}

impl Default for Quota {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(AGENTS)))
    }
}

impl Quota {
    fn lock(&self) -> MutexGuard<'_, LruCache<String, Used>> {
        // What is written there is whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses up to `rows` of this agent's quota; returns how many.
    pub(crate) fn take(&self, agent_id: &str, rows: usize) -> usize {
        if rows == 0 {
            return 0;
        }
        let mut agents = self.lock();
        let fresh = || Used { since: Instant::now(), rows: 0, kept: None };
        if !agents.contains(agent_id) {
            agents.put(agent_id.to_owned(), fresh());
        }
        let Some(used) = agents.get_mut(agent_id) else { return 0 };
        if used.since.elapsed() >= HOUR {
            *used = fresh();
        }
        let left = AN_HOUR.saturating_sub(used.rows);
        let room = used.kept.map_or(left, |kept| left.min(KEPT.saturating_sub(kept)));
        let taken = rows.min(room);
        used.rows += taken;
        taken
    }

    /// Gives back what was taken and is not kept after all.
    pub(crate) fn give_back(&self, agent_id: &str, rows: usize) {
        if let Some(used) = self.lock().peek_mut(agent_id) {
            used.rows = used.rows.saturating_sub(rows);
        }
    }

    /// Returns whether it is to be counted how many rows of this agent are kept.
    pub(crate) fn is_uncounted(&self, agent_id: &str) -> bool {
        self.lock().peek(agent_id).is_none_or(|used| used.kept.is_none())
    }

    /// Sets the number of rows of this agent that are kept, up to [`MOST_COUNTED`](Self::MOST_COUNTED).
    pub(crate) fn counted(&self, agent_id: &str, kept: usize) {
        if let Some(used) = self.lock().peek_mut(agent_id) {
            used.kept = Some(kept);
        }
    }

    /// The number of rows beyond which it makes no difference how many there are.
    pub(crate) const MOST_COUNTED: usize = KEPT;

    /// Begins to use what a transaction needs.
    pub(crate) fn begin(&self) -> QuotaUse<'_> {
        QuotaUse { quota: self, used: Vec::new() }
    }

    fn keep(&self, agent_id: &str, rows: usize) -> usize {
        let mut agents = self.lock();
        let Some(used) = agents.peek_mut(agent_id) else { return rows };
        let kept = used.kept.unwrap_or(0);
        let more = rows.min(KEPT.saturating_sub(kept));
        used.kept = Some(kept + more);
        more
    }
}

/// The use of the agents' quotas by one transaction. It is given back unless it [stays](Self::stays): where nothing
/// was stored, nothing was used.
#[derive(Debug)]
pub(crate) struct QuotaUse<'a> {
    quota: &'a Quota,
    /// The agents, each with its rows of the hour and its rows that are kept.
    used: Vec<(String, usize, usize)>,
}

impl QuotaUse<'_> {
    /// Uses up to `rows` of this agent's quota; returns how many.
    pub(crate) fn take(&mut self, agent_id: &str, rows: usize) -> usize {
        let taken = self.quota.take(agent_id, rows);
        self.used.push((agent_id.to_owned(), taken, 0));
        taken
    }

    /// Keeps up to `rows` more of this agent; returns how many.
    pub(crate) fn keep(&mut self, agent_id: &str, rows: usize) -> usize {
        let kept = self.quota.keep(agent_id, rows);
        self.used.push((agent_id.to_owned(), 0, kept));
        kept
    }

    /// Leaves it used.
    pub(crate) fn stays(mut self) {
        self.used.clear();
    }
}

impl Drop for QuotaUse<'_> {
    fn drop(&mut self) {
        if self.used.is_empty() {
            return;
        }
        let mut agents = self.quota.lock();
        for (agent_id, rows, kept) in self.used.drain(..) {
            if let Some(used) = agents.peek_mut(&agent_id) {
                used.rows = used.rows.saturating_sub(rows);
                used.kept = used.kept.map(|before| before.saturating_sub(kept));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_uses_up_its_own_quota_and_no_other() {
        let quota = Quota::default();
        assert_eq!(quota.take("one", AN_HOUR - 1), AN_HOUR - 1);
        assert_eq!(quota.take("one", 5), 1);
        assert_eq!(quota.take("one", 5), 0);
        assert_eq!(quota.take("other", 5), 5);
        quota.give_back("one", 3);
        assert_eq!(quota.take("one", 5), 3);
    }

    #[test]
    fn no_more_is_kept_of_an_agent_than_its_quota() {
        let quota = Quota::default();
        assert_eq!(quota.take("one", 10), 10);
        assert!(quota.is_uncounted("one"));
        quota.counted("one", KEPT - 4);
        assert!(!quota.is_uncounted("one"));
        assert_eq!(quota.keep("one", 3), 3);
        assert_eq!(quota.keep("one", 3), 1);
        assert_eq!(quota.take("one", 10), 0, "what cannot be kept is not queued");
    }

    #[test]
    fn what_a_transaction_did_not_store_is_given_back() {
        let quota = Quota::default();
        assert_eq!(quota.take("one", AN_HOUR - 2), AN_HOUR - 2);
        quota.counted("one", KEPT - 2);
        for _ in 0..3 {
            let mut used = quota.begin();
            assert_eq!((used.take("one", 2), used.keep("one", 2)), (2, 2));
        }
        let mut used = quota.begin();
        assert_eq!((used.take("one", 5), used.keep("one", 5)), (2, 2));
        used.stays();
        let mut used = quota.begin();
        assert_eq!((used.take("one", 1), used.keep("one", 1)), (0, 0));
    }
}
