//! The circuit breaker: an outage costs one time-out, not one for every call.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// It stays open this long, twice as long each time the Guardian is still away.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Counts connect errors and time-outs, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    paused_until: Option<Instant>,
}

impl Breaker {
    /// Whether the Guardian may be asked now. After a pause one caller may try; the others learn of
    /// it from the outcome.
    pub(super) fn admits(&self) -> bool {
        let mut state = self.lock();
        match state.paused_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                let pause = pause_after(state.failures);
                state.paused_until = Some(Instant::now() + pause);
                true
            }
        }
    }

    /// Somebody answered.
    pub(super) fn reached(&self) {
        let mut state = self.lock();
        *state = State::default();
    }

    /// Nobody answered.
    pub(super) fn missed(&self) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.paused_until = Some(Instant::now() + pause_after(state.failures));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FAILURES).min(6);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_misses_in_a_row_stop_the_asking_and_one_answer_resumes_it() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            breaker.missed();
        }
        assert!(breaker.admits());
        breaker.missed();
        assert!(!breaker.admits());
        breaker.reached();
        assert!(breaker.admits());
    }

    #[test]
    fn after_the_pause_one_caller_may_try_and_the_others_wait() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.missed();
        }
        breaker.lock().paused_until = Some(Instant::now());
        assert!(breaker.admits());
        assert!(!breaker.admits());
    }

    #[test]
    fn the_pause_grows_and_stops_growing() {
        assert_eq!(pause_after(5), Duration::from_millis(500));
        assert_eq!(pause_after(7), Duration::from_secs(2));
        assert_eq!(pause_after(1000), Duration::from_secs(30));
    }
}
