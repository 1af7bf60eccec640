//! What time it is, in one place.
//!
//! The system's clock is set ahead and back by people and by NTP. Here, time never goes back and never stands still:
//! what is left to a token, a session or an approval only ever gets less, by at least the time that really passes. A
//! clock that was set ahead makes things end early, which is the safe side. Once it is set back, the Guardian's clock
//! goes on from where it was, until the machine's clock overtakes it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use agenttrust::Timestamp;

/// The Guardian's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    source: Source,
    /// The most that the system's clock was ever ahead of the steady one, in microseconds.
    lead: AtomicI64,
    /// The lead at the time when [`undisturbed`](Self::undisturbed) was first called.
    first_lead: OnceLock<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            source: Source::default(),
            lead: AtomicI64::new(i64::MIN),
            first_lead: OnceLock::new(),
        }
    }
}

impl Clock {
    /// Returns the present: never before one that was given before, whichever way the system's clock is set.
    pub(crate) fn now(&self) -> Timestamp {
        // The system's clock first: a thread that is held up between the two readings then reads a lead
        // that is too small, which is ignored, and not one that is too large, which would stay.
        let system = self.source.system();
        let steady = self.source.steady();
        let lead = system.saturating_sub(steady);
        let lead = self.lead.fetch_max(lead, Ordering::AcqRel).max(lead);
        point_in_time(steady.saturating_add(lead))
    }

    /// Returns the present as if the system's clock had not been set since this was first called: what must not end
    /// early is measured by it. Only a Guardian that is started again takes the clock as it is then set.
    pub(crate) fn undisturbed(&self) -> Timestamp {
        let steady = self.source.steady();
        let first = self
            .first_lead
            .get_or_init(|| self.now().unix_micros().saturating_sub(self.source.steady()));
        point_in_time(steady.saturating_add(*first))
    }

    /// Keeps the clock from giving a present before `at` from here on: what was written down has happened.
    pub(crate) fn not_before(&self, at: Timestamp) {
        let lead = at.unix_micros().saturating_sub(self.source.steady());
        self.lead.fetch_max(lead, Ordering::AcqRel);
    }

    /// Returns by how much the present is ahead of what the system's clock says.
    pub(crate) fn ahead(&self) -> Duration {
        let system = self.source.system();
        point_in_time(system).until(self.now())
    }
}

/// Returns the point in time, or the end of the calendar for one beyond it, where everything is over.
fn point_in_time(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
        .unwrap_or_else(|| Timestamp::now().saturating_add(Duration::MAX))
}

/// The two clocks of the machine, in microseconds; a test moves them by hand.
#[derive(Debug)]
struct Source {
    start: std::time::Instant,
    #[cfg(test)]
    by_hand: by_hand::Offsets,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            start: std::time::Instant::now(),
            #[cfg(test)]
            by_hand: by_hand::Offsets::default(),
        }
    }
}

impl Source {
    /// Returns what the system says that the time is, since 1970.
    fn system(&self) -> i64 {
        let now = Timestamp::now().unix_micros();
        #[cfg(test)]
        let now = self.by_hand.system(now);
        now
    }

    /// Returns how long this clock has run, which setting the system's clock does not change.
    fn steady(&self) -> i64 {
        let run = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        #[cfg(test)]
        let run = self.by_hand.steady(run);
        run
    }
}

/// Returns the time that is so long before `now`.
pub(crate) fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(now.unix_micros().saturating_sub(by)).unwrap_or(now)
}

#[cfg(test)]
mod by_hand;
#[cfg(test)]
mod tests;
