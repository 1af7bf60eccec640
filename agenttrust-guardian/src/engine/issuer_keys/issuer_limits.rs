//! What is kept of each issuer that is dealt with, however many there are: how often it was asked of late, and how many
//! strangers wait for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate_limiter::{Rate, RateLimiter};

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
pub(super) struct IssuerLimits {
    rate_limiter: Mutex<RateLimiter>,
    strangers: Arc<Semaphore>,
}

impl IssuerLimits {
    fn new(rate: Rate) -> Self {
        let rate_limiter = Mutex::new(RateLimiter::new(rate, Instant::now()));
        Self { rate_limiter, strangers: Arc::new(Semaphore::new(STRANGERS_MOST)) }
    }

    /// Returns when the next read may begin: `now`, or later.
    pub(super) fn next_read(&self, now: Instant) -> Instant {
        self.rate_limiter().next(now)
    }

    /// Begins a read, where one may begin; else returns when it may.
    pub(super) fn begin_read(&self, now: Instant) -> Result<(), Instant> {
        let mut rate_limiter = self.rate_limiter();
        let next = rate_limiter.next(now);
        if next > now {
            return Err(next);
        }
        rate_limiter.begin(now);
        Ok(())
    }

    /// Returns a place for a stranger, if there is one.
    pub(super) fn wait(&self) -> Option<Waiting> {
        let place = Arc::clone(&self.strangers).try_acquire_owned().ok()?;
        Some(Waiting { _place: place })
    }

    /// Returns whether a limit that is just made is the same.
    fn is_as_new(&self, now: Instant) -> bool {
        self.strangers.available_permits() == STRANGERS_MOST && self.rate_limiter().is_as_new(now)
    }

    fn rate_limiter(&self) -> MutexGuard<'_, RateLimiter> {
        self.rate_limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules by which all issuers are asked.
#[derive(Debug)]
pub(super) struct AllIssuerLimits {
    rate: Rate,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    by_provider: HashMap<String, Arc<IssuerLimits>>,
    /// The number of issuers at which those are forgotten next that are as new.
    full: usize,
}

impl AllIssuerLimits {
    pub(super) fn new(rate: Rate) -> Self {
        let kept = Kept { by_provider: HashMap::new(), full: FORGET_FROM };
        Self { rate, kept: Mutex::new(kept) }
    }

    /// Returns how the issuer is dealt with that is the provider of this id.
    pub(super) fn of(&self, provider_id: &str) -> Arc<IssuerLimits> {
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
        let new = Arc::new(IssuerLimits::new(self.rate));
        kept.by_provider.insert(provider_id.to_owned(), Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_that_was_asked_of_late_is_not_forgotten_and_the_others_are() {
        let all = AllIssuerLimits::new(Rate::default());
        let now = Instant::now();
        all.of("asked").begin_read(now).unwrap();
        for n in 0..10 * FORGET_FROM {
            all.of(&n.to_string());
        }
        assert!(all.of("asked").begin_read(now).is_err());
        assert!(all.kept.lock().unwrap().by_provider.len() <= FORGET_FROM);
    }
}
