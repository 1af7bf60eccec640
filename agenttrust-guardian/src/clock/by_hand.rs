//! The clock of a test: time passes, stops, and is set ahead and back as the test says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use agenttrust::Timestamp;

use super::Clock;

/// The offsets by which a test moved the machine's clocks, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// Time that passed, for both clocks.
    passed: AtomicI64,
    /// The time by which the system's clock was set ahead.
    set_ahead: AtomicI64,
    /// The time that both clocks show, without the above, if they were stopped.
    stopped: OnceLock<(i64, i64)>,
}

impl Offsets {
    pub(super) fn system(&self, real: i64) -> i64 {
        self.stopped.get().map_or(real, |stopped| stopped.0)
            + self.passed.load(Ordering::SeqCst)
            + self.set_ahead.load(Ordering::SeqCst)
    }

    pub(super) fn steady(&self, real: i64) -> i64 {
        self.stopped.get().map_or(real, |stopped| stopped.1) + self.passed.load(Ordering::SeqCst)
    }
}

impl Clock {
    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.source.by_hand.passed.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Sets the system's clock ahead. No time passes by that.
    pub(crate) fn set_ahead(&self, by: Duration) {
        self.source.by_hand.set_ahead.fetch_add(micros(by), Ordering::SeqCst);
        self.now();
    }

    /// Sets the system's clock back. No time passes by that.
    pub(crate) fn set_back(&self, by: Duration) {
        self.source.by_hand.set_ahead.fetch_sub(micros(by), Ordering::SeqCst);
        self.now();
    }

    /// Stops the clock at `at`, once: from here on time passes by [`advance`](Self::advance) alone.
    pub(crate) fn stop_at(&self, at: Timestamp) {
        let steady = self.source.steady();
        let stopped = self.source.by_hand.stopped.set((at.unix_micros(), steady));
        assert!(stopped.is_ok(), "the clock is stopped already");
        self.lead.store(at.unix_micros() - steady, Ordering::SeqCst);
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap()
}
