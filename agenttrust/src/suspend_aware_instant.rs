//! [`SuspendAwareInstant`]: how long ago something was, while the machine was suspended too.

use std::time::{Duration, Instant, SystemTime};

/// An instant whose elapsed time includes the time for which the machine was suspended.
///
/// Compared with nothing but later moments here: what another machine says of its own time is no measure of ours. Of
/// the steady clock, which stands still while a machine is suspended, and the clock on the wall, which may be set
/// back, the one counts that says longer.
#[derive(Clone, Copy, Debug)]
pub struct SuspendAwareInstant {
    steady: Instant,
    wall: SystemTime,
}

impl SuspendAwareInstant {
    /// Returns the present.
    #[must_use]
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Returns how long ago it was.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// Returns the same moment, had the clock on the wall been set forward by so much since.
    #[cfg(test)]
    pub(crate) fn with_wall_back(self, by: Duration) -> Self {
        Self { wall: self.wall - by, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn clock_that_says_longer_counts() {
        let now = SuspendAwareInstant::now();
        assert!(now.elapsed() < HOUR);
        assert!(now.with_wall_back(HOUR).elapsed() >= HOUR);
        // Set back, the clock on the wall says nothing.
        let ahead = SuspendAwareInstant { wall: now.wall + HOUR, ..now };
        assert!(ahead.elapsed() < HOUR);
    }
}
