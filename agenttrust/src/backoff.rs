//! Waits that double, so that what does not answer is asked ever less often, and never too seldom.

use std::time::Duration;

/// A first wait that doubles with each try that fails, up to the longest.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Doubles from `first` up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// Returns the wait after it has doubled so many times: 0 is the first.
    #[must_use]
    pub fn wait(&self, doubled: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(doubled)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let waits = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let millis: Vec<_> = (0..7).map(|doubled| waits.wait(doubled).as_millis()).collect();
        assert_eq!(millis, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(waits.wait(u32::MAX), Duration::from_secs(5));
    }
}
