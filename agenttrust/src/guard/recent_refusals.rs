//! What was held or denied of late: a guard that fails open does not open for that.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::Subject;

const ACTIONS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// The time that a refusal is remembered: as long as an approval is pending by default.
const REMEMBERED: Duration = Duration::from_secs(300);

/// The actions that the Guardian did not allow when it was last asked.
#[derive(Debug)]
pub(super) struct RecentRefusals {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    actions: LruCache<Key, Instant>,
    /// The time when a refusal was last pushed out that should have been remembered longer.
    lost: Option<Instant>,
}

/// An agent, a tool, and the digest or the summary of what it is given.
type Key = (String, String, Option<String>);

impl Default for RecentRefusals {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { actions: LruCache::new(ACTIONS), lost: None }) }
    }
}

impl RecentRefusals {
    pub(super) fn remember(&self, subject: &Subject, tool: &str, input: Option<&str>) {
        let mut kept = self.lock();
        let key = key(subject, tool, input);
        let pushed_out = kept.actions.push(key.clone(), Instant::now());
        if pushed_out.is_some_and(|(other, at)| other != key && at.elapsed() < REMEMBERED) {
            kept.lost = Some(Instant::now());
        }
    }

    pub(super) fn forget(&self, subject: &Subject, tool: &str, input: Option<&str>) {
        let actions = &mut self.lock().actions;
        if !actions.is_empty() {
            actions.pop(&key(subject, tool, input));
        }
    }

    pub(super) fn holds(&self, subject: &Subject, tool: &str, input: Option<&str>) -> bool {
        let kept = self.lock();
        // One that cannot be remembered any more may be this one.
        let at = kept.actions.peek(&key(subject, tool, input)).copied().max(kept.lost);
        at.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(subject: &Subject, tool: &str, input: Option<&str>) -> Key {
    (subject.agent_id.clone(), tool.to_owned(), input.map(str::to_owned))
}
