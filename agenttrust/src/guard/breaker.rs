//! The circuit breaker: an outage costs one time-out, not one for every call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::background;
use crate::backoff::Backoff;
use crate::transport::TransportError;

/// The number of misses in a row that stops the asking of a guard.
const MISSES: u32 = 5;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause, which doubles each time that the trial after it misses too. The longest is short enough that a Guardian
/// that is back is asked again soon.
const PAUSES: Backoff = Backoff::new(FIRST_PAUSE, Duration::from_secs(5));

/// Counts calls that got no answer, and remembers why: a pause opens nothing that its reason would not.
#[derive(Debug)]
pub struct Breaker {
    /// The number of misses in a row that stops the asking.
    most: u32,
    state: Mutex<State>,
    /// Changes whenever something is known of the Guardian.
    known: watch::Sender<()>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::after(MISSES)
    }
}

/// The reason why a call got no answer; the later one is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// No connection could be made.
    Away,
    /// The request was sent, or may have been: the Guardian is slow, or the connection broke.
    Slow,
}

impl Miss {
    /// Returns the miss that this error is.
    #[must_use]
    pub fn from_error(error: &TransportError) -> Self {
        if error.is_unreachable() { Self::Away } else { Self::Slow }
    }
}

#[derive(Debug, Default)]
struct State {
    misses: u32,
    /// The worst of these misses.
    worst: Option<Miss>,
    pause: Option<Pause>,
    /// Counts the pauses, so that a call knows whether one has begun since it was admitted.
    pauses: u64,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
    /// The number of trials before it that missed.
    trials: u32,
    why: Miss,
    /// Whether one caller is finding out what is true now.
    tried: bool,
}

/// The right to ask the Guardian now.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pauses: u64,
}

/// The answer that the Guardian is not to be asked now.
#[derive(Debug)]
pub struct Paused {
    /// The reason why it is not.
    pub why: Miss,
    trial: Option<Trial>,
}

#[derive(Debug)]
struct Trial {
    known: watch::Receiver<()>,
    until: Instant,
}

impl Paused {
    /// Waits for what the caller finds that is asking after the pause, and returns whether there was one.
    /// Until it knows, the reason of the pause is an old one.
    pub async fn tried(self) -> bool {
        let Some(Trial { mut known, until }) = self.trial else {
            return false;
        };
        let left = until.saturating_duration_since(Instant::now());
        // Either way there is something new: an answer, or that the next caller may try.
        let _ = background::timeout(left, known.changed()).await;
        true
    }
}

impl Breaker {
    /// Creates one that stops the asking after so many misses in a row.
    #[must_use]
    pub fn after(misses: u32) -> Self {
        Self { most: misses, state: Mutex::default(), known: watch::Sender::new(()) }
    }

    /// Lets a caller ask the Guardian. After a pause one may try; the others go by what it finds.
    ///
    /// # Errors
    ///
    /// `Paused`, with the reason.
    pub fn admit(&self) -> Result<Admission, Paused> {
        let mut state = self.lock();
        if let Some(pause) = &mut state.pause {
            let now = Instant::now();
            if now < pause.until {
                let trial = || Trial { known: self.known.subscribe(), until: pause.until };
                return Err(Paused { why: pause.why, trial: pause.tried.then(trial) });
            }
            // The next one may try when this caller knows, or has had as long again to find out.
            pause.until = now + pause.length;
            pause.tried = true;
        }
        Ok(Admission { pauses: state.pauses })
    }

    /// Remembers that the Guardian answered.
    pub fn reached(&self) {
        let mut state = self.lock();
        state.misses = 0;
        state.worst = None;
        if state.pause.take().is_some() {
            self.known.send_replace(());
        }
    }

    /// Remembers that the call which was admitted so got no answer.
    pub fn missed(&self, admission: Admission, miss: Miss) {
        let mut state = self.lock();
        if admission.pauses != state.pauses {
            // Calls that were on their way when a pause began tell of the same outage: one blip under
            // load must not count as a long one. But whatever one of them had sent, the Guardian may
            // have got.
            if let Some(pause) = &mut state.pause {
                pause.why = pause.why.max(miss);
            }
            return;
        }
        state.misses = state.misses.saturating_add(1);
        let worst = state.worst.map_or(miss, |worst| worst.max(miss));
        state.worst = Some(worst);
        let (trials, why) = match &state.pause {
            // What the trial found is newer than the reason of the pause before it.
            Some(pause) => (pause.trials.saturating_add(1), miss),
            None if state.misses >= self.most => (0, worst),
            None => return,
        };
        let length = PAUSES.wait(trials);
        let until = Instant::now() + length;
        state.pause = Some(Pause { until, length, trials, why, tried: false });
        state.pauses += 1;
        self.known.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn miss(breaker: &Breaker, misses: impl IntoIterator<Item = Miss>) {
        let admitted: Vec<_> =
            misses.into_iter().map(|miss| (breaker.admit().unwrap(), miss)).collect();
        admitted.into_iter().for_each(|(admission, miss)| breaker.missed(admission, miss));
    }

    fn end_pause(breaker: &Breaker) {
        breaker.lock().pause.as_mut().unwrap().until = Instant::now();
    }

    fn length(breaker: &Breaker) -> Duration {
        breaker.lock().pause.as_ref().unwrap().length
    }

    fn why(breaker: &Breaker) -> Miss {
        breaker.admit().unwrap_err().why
    }

    #[test]
    fn five_misses_in_a_row_stop_the_asking_and_one_answer_resumes_it() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Away; 4]);
        assert!(breaker.admit().is_ok());
        miss(&breaker, [Miss::Away]);
        assert!(breaker.admit().is_err());
        breaker.reached();
        assert!(breaker.admit().is_ok());
    }

    #[test]
    fn after_the_pause_one_caller_may_try_and_the_others_wait_for_what_it_finds() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Away; 5]);
        let paused = breaker.admit().unwrap_err();
        assert_eq!(paused.tried().now_or_never(), Some(false), "it is not being asked");
        end_pause(&breaker);
        let trial = breaker.admit().unwrap();
        let mut waiting = [(); 2].map(|()| Box::pin(breaker.admit().unwrap_err().tried()));
        for waiting in &mut waiting {
            assert_eq!(waiting.now_or_never(), None, "nothing is known yet");
        }
        breaker.missed(trial, Miss::Away);
        for waiting in waiting {
            assert_eq!(waiting.now_or_never(), Some(true));
        }
    }

    #[test]
    fn a_hundred_calls_that_miss_at_once_are_one_outage() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Away; 100]);
        assert_eq!(length(&breaker), FIRST_PAUSE);
    }

    #[test]
    fn only_a_trial_that_misses_makes_the_pause_longer_and_never_too_long() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Away; 5]);
        for expected in [1, 2, 4, 5, 5].map(Duration::from_secs) {
            end_pause(&breaker);
            miss(&breaker, [Miss::Away]);
            assert_eq!(length(&breaker), expected);
        }
    }

    #[test]
    fn one_slow_answer_in_the_row_is_the_reason_of_the_whole_pause() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Slow, Miss::Away, Miss::Away, Miss::Away, Miss::Away]);
        assert_eq!(why(&breaker), Miss::Slow);

        let breaker = Breaker::default();
        miss(&breaker, [Miss::Slow; 4]);
        breaker.reached();
        miss(&breaker, [Miss::Away; 5]);
        assert_eq!(why(&breaker), Miss::Away, "an answer came in between");
    }

    #[test]
    fn a_slow_answer_that_is_late_takes_the_reason_to_open_away() {
        let breaker = Breaker::default();
        let late = breaker.admit().unwrap();
        miss(&breaker, [Miss::Away; 5]);
        assert_eq!(why(&breaker), Miss::Away);
        breaker.missed(late, Miss::Slow);
        assert_eq!((why(&breaker), length(&breaker)), (Miss::Slow, FIRST_PAUSE));
    }

    #[test]
    fn the_trial_after_a_pause_finds_a_reason_of_its_own() {
        let breaker = Breaker::default();
        miss(&breaker, [Miss::Slow; 5]);
        for found in [Miss::Away, Miss::Slow, Miss::Away] {
            end_pause(&breaker);
            miss(&breaker, [found]);
            assert_eq!(why(&breaker), found);
        }
    }
}
