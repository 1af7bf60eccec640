//! The circuit breaker: an outage costs one time-out, not one for every call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many misses in a row stop the asking of a guard.
const MISSES: u32 = 5;
/// The first pause. It doubles each time that the trial after it finds nobody either.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Short enough that a Guardian that is back is asked again soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Counts connect errors and time-outs, and nothing else.
#[derive(Debug)]
pub struct Breaker {
    /// So many misses in a row stop the asking.
    most: u32,
    state: Mutex<State>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::after(MISSES)
    }
}

#[derive(Debug, Default)]
struct State {
    misses: u32,
    pause: Option<Pause>,
    /// Counts the pauses, so that a call knows whether one has begun since it was admitted.
    pauses: u64,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

/// The right to ask the Guardian now.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pauses: u64,
}

impl Breaker {
    /// One that stops the asking after so many misses in a row.
    #[must_use]
    pub fn after(misses: u32) -> Self {
        Self { most: misses, state: Mutex::default() }
    }

    /// Whether the Guardian may be asked now. After a pause one caller may try; the others go by what
    /// it finds.
    pub fn admit(&self) -> Option<Admission> {
        let mut state = self.lock();
        if let Some(pause) = &mut state.pause {
            let now = Instant::now();
            if now < pause.until {
                return None;
            }
            // Nobody else tries until this caller knows, or has had as long again to find out.
            pause.until = now + pause.length;
        }
        Some(Admission { pauses: state.pauses })
    }

    /// Somebody answered.
    pub fn reached(&self) {
        let mut state = self.lock();
        state.misses = 0;
        state.pause = None;
    }

    /// Nobody answered the call that was admitted so.
    pub fn missed(&self, admission: Admission) {
        let mut state = self.lock();
        // Calls that were on their way when a pause began tell of the same outage: one blip under
        // load must not count as a long one.
        if admission.pauses != state.pauses {
            return;
        }
        state.misses = state.misses.saturating_add(1);
        let length = match &state.pause {
            Some(pause) => (pause.length * 2).min(LONGEST_PAUSE),
            None if state.misses >= self.most => FIRST_PAUSE,
            None => return,
        };
        state.pause = Some(Pause { until: Instant::now() + length, length });
        state.pauses += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(breaker: &Breaker, times: usize) {
        let admissions: Vec<_> = (0..times).map(|_| breaker.admit().unwrap()).collect();
        admissions.into_iter().for_each(|admission| breaker.missed(admission));
    }

    fn end_pause(breaker: &Breaker) {
        breaker.lock().pause.as_mut().unwrap().until = Instant::now();
    }

    fn length(breaker: &Breaker) -> Duration {
        breaker.lock().pause.as_ref().unwrap().length
    }

    #[test]
    fn five_misses_in_a_row_stop_the_asking_and_one_answer_resumes_it() {
        let breaker = Breaker::default();
        miss(&breaker, 4);
        assert!(breaker.admit().is_some());
        miss(&breaker, 1);
        assert!(breaker.admit().is_none());
        breaker.reached();
        assert!(breaker.admit().is_some());
    }

    #[test]
    fn after_the_pause_one_caller_may_try_and_the_others_wait() {
        let breaker = Breaker::default();
        miss(&breaker, 5);
        end_pause(&breaker);
        assert!(breaker.admit().is_some());
        assert!(breaker.admit().is_none());
    }

    #[test]
    fn a_hundred_calls_that_miss_at_once_are_one_outage() {
        let breaker = Breaker::default();
        miss(&breaker, 100);
        assert_eq!(length(&breaker), FIRST_PAUSE);
    }

    #[test]
    fn only_a_trial_that_finds_nobody_makes_the_pause_longer_and_never_too_long() {
        let breaker = Breaker::default();
        miss(&breaker, 5);
        for expected in [1, 2, 4, 5, 5].map(Duration::from_secs) {
            end_pause(&breaker);
            miss(&breaker, 1);
            assert_eq!(length(&breaker), expected);
        }
    }
}
