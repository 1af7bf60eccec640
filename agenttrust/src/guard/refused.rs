//! What was held or denied of late: a guard that fails open does not open for that.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::Who;

const ACTIONS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// As long as an approval is pending by default.
const REMEMBERED: Duration = Duration::from_secs(300);

/// The actions that the Guardian did not allow when it was last asked.
#[derive(Debug)]
pub(super) struct Refused {
    actions: Mutex<LruCache<Key, Instant>>,
}

/// An agent, a tool, and the digest or the summary of what it is given.
type Key = (String, String, Option<String>);

impl Default for Refused {
    fn default() -> Self {
        Self { actions: Mutex::new(LruCache::new(ACTIONS)) }
    }
}

impl Refused {
    pub(super) fn remember(&self, who: &Who, tool: &str, input: Option<&str>) {
        self.lock().put(key(who, tool, input), Instant::now());
    }

    pub(super) fn forget(&self, who: &Who, tool: &str, input: Option<&str>) {
        let mut actions = self.lock();
        if !actions.is_empty() {
            actions.pop(&key(who, tool, input));
        }
    }

    pub(super) fn holds(&self, who: &Who, tool: &str, input: Option<&str>) -> bool {
        let at = self.lock().peek(&key(who, tool, input)).copied();
        at.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Key, Instant>> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(who: &Who, tool: &str, input: Option<&str>) -> Key {
    (who.agent_id.clone(), tool.to_owned(), input.map(str::to_owned))
}
