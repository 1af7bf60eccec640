//! How long ago something was, by two clocks of this machine.

use std::time::{Duration, Instant, SystemTime};

/// A moment of this machine, to ask how long ago it was.
///
/// Compared with nothing but later moments here: what another machine says of its own time is no measure of ours. Of
/// the steady clock, which stands still while a machine is suspended, and the clock on the wall, which may be set
/// back, the one counts that says longer.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago it was.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// The same moment, had the clock on the wall been set forward by so much since.
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
        let now = Moment::now();
        assert!(now.elapsed() < HOUR);
        assert!(now.with_wall_back(HOUR).elapsed() >= HOUR);
        // Set back, the clock on the wall says nothing.
        let ahead = Moment { wall: now.wall + HOUR, ..now };
        assert!(ahead.elapsed() < HOUR);
    }
}
