//! How much an agent may report that no check vouches for: so much an hour at each Guardian, and so much that
//! is kept. Otherwise one key could fill the disk with it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// How many rows an hour.
const AN_HOUR: usize = 10_000;
/// How many rows are kept.
const KEPT: usize = 100_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// How many agents are remembered; the one that reported longest ago goes first.
const AGENTS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(agents) => agents,
    None => NonZeroUsize::MIN,
};

/// What each agent used up of it.
#[derive(Debug)]
pub(crate) struct Quota(Mutex<LruCache<String, Used>>);

#[derive(Debug)]
struct Used {
    since: Instant,
    rows: usize,
    /// How many are kept; `None` before they were counted in this hour.
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

    /// Whether it is to be counted how many rows of this agent are kept.
    pub(crate) fn is_uncounted(&self, agent_id: &str) -> bool {
        self.lock().peek(agent_id).is_none_or(|used| used.kept.is_none())
    }

    /// So many rows of this agent are kept, up to [`MOST_COUNTED`](Self::MOST_COUNTED).
    pub(crate) fn counted(&self, agent_id: &str, kept: usize) {
        if let Some(used) = self.lock().peek_mut(agent_id) {
            used.kept = Some(kept);
        }
    }

    /// Beyond this it makes no difference how many there are.
    pub(crate) const MOST_COUNTED: usize = KEPT;

    /// Keeps up to `rows` more of this agent; returns how many.
    pub(crate) fn keep(&self, agent_id: &str, rows: usize) -> usize {
        let mut agents = self.lock();
        let Some(used) = agents.peek_mut(agent_id) else { return rows };
        let kept = used.kept.unwrap_or(0);
        let more = rows.min(KEPT.saturating_sub(kept));
        used.kept = Some(kept + more);
        more
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
}
