//! What is kept of each issuer that is dealt with, however many there are: how often it was asked of late, and how many
//! strangers wait for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pace::{Pace, Rate};

/// The number of unknown tokens that may wait for the keys of one issuer at once.
pub(crate) const STRANGERS_MOST: usize = 64;
/// The number of issuers from which on those are looked for that may be forgotten.
const FORGET_FROM: usize = 1_024;

/// The place of a stranger that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    _place: OwnedSemaphorePermit,
}

/// The rules by which one issuer is asked.
#[derive(Debug)]
pub(super) struct Manners {
    pace: Mutex<Pace>,
    strangers: Arc<Semaphore>,
}

impl Manners {
    fn new(rate: Rate) -> Self {
        let pace = Mutex::new(Pace::new(rate, Instant::now()));
        Self { pace, strangers: Arc::new(Semaphore::new(STRANGERS_MOST)) }
    }

    /// Returns when the next read may begin: `now`, or later.
    pub(super) fn next_read(&self, now: Instant) -> Instant {
        self.pace().next(now)
    }

    /// Begins a read, where one may begin; else returns when it may.
    pub(super) fn begin_read(&self, now: Instant) -> Result<(), Instant> {
        let mut pace = self.pace();
        let next = pace.next(now);
        if next > now {
            return Err(next);
        }
        pace.begin(now);
        Ok(())
    }

    /// Returns a place for a stranger, if there is one.
    pub(super) fn wait(&self) -> Option<Waiting> {
        let place = Arc::clone(&self.strangers).try_acquire_owned().ok()?;
        Some(Waiting { _place: place })
    }

    /// Returns whether a pace that is just made is the same.
    fn is_as_new(&self, now: Instant) -> bool {
        self.strangers.available_permits() == STRANGERS_MOST && self.pace().is_as_new(now)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules by which all issuers are asked.
#[derive(Debug)]
pub(super) struct AllManners {
    rate: Rate,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    by_provider: HashMap<String, Arc<Manners>>,
    /// The number of issuers at which those are forgotten next that are as new.
    full: usize,
}

impl AllManners {
    pub(super) fn new(rate: Rate) -> Self {
        let kept = Kept { by_provider: HashMap::new(), full: FORGET_FROM };
        Self { rate, kept: Mutex::new(kept) }
    }

    /// Returns how the issuer is dealt with that is the provider of this id.
    pub(super) fn of(&self, provider_id: &str) -> Arc<Manners> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.by_provider.get(provider_id) {
            return Arc::clone(known);
        }
        if kept.by_provider.len() >= kept.full {
            let now = Instant::now();
            // Whoever holds one goes on by it.
            kept.by_provider.retain(|_, one| Arc::strong_count(one) > 1 || !one.is_as_new(now));
            kept.full = FORGET_FROM.max(kept.by_provider.len().saturating_mul(2));
        }
        let new = Arc::new(Manners::new(self.rate));
        kept.by_provider.insert(provider_id.to_owned(), Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_that_was_asked_of_late_is_not_forgotten_and_the_others_are() {
        let all = AllManners::new(Rate::default());
        let now = Instant::now();
        all.of("asked").begin_read(now).unwrap();
        for n in 0..10 * FORGET_FROM {
            all.of(&n.to_string());
        }
        assert!(all.of("asked").begin_read(now).is_err());
        assert!(all.kept.lock().unwrap().by_provider.len() <= FORGET_FROM);
    }
}
