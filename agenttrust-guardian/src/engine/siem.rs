//! What is known here of how destinations of events stand: how far behind they are, and that one was changed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agenttrust::Timestamp;
use tokio::sync::watch;

use crate::domain::ids;
use crate::metrics::SiemNumbers;

/// The progress of this Guardian's destinations.
#[derive(Debug)]
pub(crate) struct SiemProgress {
    /// The count of their changes, so that the loop that begins jobs looks at once.
    changed: watch::Sender<u64>,
    /// The count of changes of each that has a job here, so that this job looks at once, and no other.
    jobs: watch::Sender<HashMap<String, watch::Sender<u64>>>,
    known: Mutex<HashMap<String, Standing>>,
    /// The owner of a destination that this Guardian delivers to.
    owner: String,
}

/// The state of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether its last delivery failed.
    pub(crate) is_failing: bool,
    /// The time when the oldest event that it is owed was written; `None` within where it is owed nothing, and `None`
    /// where another replica delivers to it.
    pub(crate) backlog_since: Option<Option<Timestamp>>,
}

impl SiemProgress {
    /// Creates the progress of the Guardian that writes this log. Among several it owns destinations under another name
    /// after each start: two that have one name, as while one takes over from the other, must not deliver at once. One
    /// that is alone goes on at once after a crash.
    pub(crate) fn new(log: &str, has_replicas: bool) -> Self {
        let owner = match has_replicas {
            true => ids::new(&format!("{log}/")),
            false => log.to_owned(),
        };
        let (changed, jobs) = (watch::Sender::new(0), watch::Sender::default());
        Self { changed, jobs, known: Mutex::default(), owner }
    }

    /// Returns whose a destination is that this Guardian delivers to.
    pub(crate) fn owner(&self) -> String {
        self.owner.clone()
    }

    /// Says that this destination was made, changed, removed or sent back.
    pub(crate) fn changed(&self, id: &str) {
        let count = |changes: &mut u64| *changes = changes.wrapping_add(1);
        if let Some(job) = self.jobs.borrow().get(id) {
            job.send_modify(count);
        }
        self.changed.send_modify(count);
    }

    /// Hears of the changes of every destination from here on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Hears of the changes of this one from here on, for its job, until it is [`left`](Self::left).
    pub(crate) fn changes_of(&self, id: &str) -> watch::Receiver<u64> {
        let changed = watch::Sender::new(0);
        let changes = changed.subscribe();
        self.jobs.send_modify(|jobs| {
            jobs.insert(id.to_owned(), changed);
        });
        changes
    }

    /// Waits until this Guardian delivers to no destination any more.
    pub(crate) async fn all_left(&self) {
        let _ = self.jobs.subscribe().wait_for(HashMap::is_empty).await;
    }

    /// Takes over which destinations there are that are not paused, and which of them fail.
    pub(crate) fn listed(&self, destinations: impl Iterator<Item = (String, bool)>) {
        let mut known = lock(&self.known);
        let listed = destinations.map(|(id, is_failing)| {
            let before = known.get(&id).copied().unwrap_or_default();
            // Who delivers to it knows better.
            let is_failing =
                if before.backlog_since.is_some() { before.is_failing } else { is_failing };
            (id, Standing { is_failing, ..before })
        });
        *known = listed.collect();
    }

    /// Notes how one stands that this Guardian delivers to.
    pub(crate) fn stands(&self, id: &str, backlog_since: Option<Timestamp>, is_failing: bool) {
        let standing = Standing { is_failing, backlog_since: Some(backlog_since) };
        lock(&self.known).insert(id.to_owned(), standing);
    }

    /// Notes that this Guardian does not deliver to it any more.
    pub(crate) fn left(&self, id: &str) {
        self.jobs.send_modify(|jobs| {
            jobs.remove(id);
        });
        if let Some(standing) = lock(&self.known).get_mut(id) {
            standing.backlog_since = None;
        }
    }

    /// Returns for how long it is owed something at `now`; zero where it is owed nothing, `None` where this Guardian
    /// does not deliver to it.
    pub(crate) fn lag(&self, id: &str, now: Timestamp) -> Option<Duration> {
        lock(&self.known).get(id).copied().and_then(|standing| standing.lag(now))
    }

    /// Returns how all of them stand at `now`.
    pub(crate) fn numbers(&self, now: Timestamp) -> SiemNumbers {
        let known = lock(&self.known);
        SiemNumbers {
            destinations: known.len(),
            failing: known.values().filter(|standing| standing.is_failing).count(),
            lag: known.values().filter_map(|standing| standing.lag(now)).max().unwrap_or_default(),
        }
    }
}

/// Locks it, whether or not another thread panicked: what is written under such a lock is whole after every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Standing {
    fn lag(self, now: Timestamp) -> Option<Duration> {
        Some(self.backlog_since?.map_or(Duration::ZERO, |since| since.until(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_destination_that_is_most_behind() {
        let progress = SiemProgress::new("", false);
        let now = Timestamp::now();
        let ago = |seconds| crate::clock::before(now, Duration::from_secs(seconds));
        assert_eq!(progress.numbers(now), SiemNumbers::default());
        progress.listed(["a", "b", "c"].into_iter().map(|id| (id.to_owned(), id == "c")));
        progress.stands("a", Some(ago(7)), true);
        progress.stands("b", None, false);
        let lag = Duration::from_secs(7);
        assert_eq!(progress.numbers(now), SiemNumbers { destinations: 3, failing: 2, lag });
        assert_eq!(progress.lag("a", now), Some(lag));
        assert_eq!(progress.lag("b", now), Some(Duration::ZERO));
        assert_eq!((progress.lag("c", now), progress.lag("d", now)), (None, None));
        // What the database said a moment ago is older than what is known here; who is gone is forgotten.
        progress.listed([("a".to_owned(), false)].into_iter());
        assert_eq!(progress.numbers(now), SiemNumbers { destinations: 1, failing: 1, lag });
        progress.left("a");
        assert_eq!(progress.numbers(now).lag, Duration::ZERO);
        // A clock that goes back makes nothing of it.
        progress.stands("a", Some(now), false);
        assert_eq!(progress.numbers(ago(60)).lag, Duration::ZERO);
    }
}
