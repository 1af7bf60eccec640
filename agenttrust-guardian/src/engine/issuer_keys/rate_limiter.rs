//! How often an issuer is asked for its keys.

use std::time::{Duration, Instant};

use super::{APART, BURST, REFILL};

/// The most that an issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// The least time between two reads.
    pub(super) apart: Duration,
    /// The number of reads that may come so close together.
    pub(super) burst: u32,
    /// The time in which one more may come.
    pub(super) refill: Duration,
}

impl Default for Rate {
    fn default() -> Self {
        Self { apart: APART, burst: BURST, refill: REFILL }
    }
}

/// The limit of the rate at which one issuer is asked.
#[derive(Debug)]
pub(super) struct RateLimiter {
    rate: Rate,
    /// The number of reads that may still come close together.
    left: u32,
    /// The time from which on the time for one more is counted.
    since: Instant,
    last: Option<Instant>,
}

impl RateLimiter {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, left: rate.burst, since: now, last: None }
    }

    /// Returns when the next read may begin: `now`, or later.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        self.gain(now);
        let has_one = if self.left > 0 { now } else { self.since + self.rate.refill };
        let apart = self.last.map_or(now, |last| last + self.rate.apart);
        now.max(has_one).max(apart)
    }

    /// Takes note that a read begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.gain(now);
        self.left = self.left.saturating_sub(1);
        self.last = Some(now);
    }

    /// Returns whether nothing is left of what was asked before.
    pub(super) fn is_as_new(&mut self, now: Instant) -> bool {
        self.next(now) == now && self.left >= self.rate.burst
    }

    /// Counts what time has given since.
    fn gain(&mut self, now: Instant) {
        while self.left < self.rate.burst
            && now.saturating_duration_since(self.since) >= self.rate.refill
        {
            self.left += 1;
            self.since += self.rate.refill;
        }
        if self.left >= self.rate.burst {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns when reads begin that are wanted all the time, in seconds.
    fn begun(within: Duration) -> Vec<u64> {
        let start = Instant::now();
        let mut rate_limiter = RateLimiter::new(Rate::default(), start);
        let (mut now, mut begun) = (start, Vec::new());
        while now < start + within {
            rate_limiter.begin(now);
            begun.push((now - start).as_secs());
            now = rate_limiter.next(now);
        }
        begun
    }

    #[test]
    fn ten_reads_come_a_second_apart_and_then_one_in_ten_seconds() {
        let begun = begun(Duration::from_secs(60));
        // One is gained while the ten are used.
        assert_eq!(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn an_hour_of_asking_is_one_read_in_ten_seconds() {
        let begun = begun(Duration::from_secs(3_600));
        assert!(begun.len() <= 10 + 3_600 / 10, "{begun:?}");
    }

    #[test]
    fn what_was_used_comes_back_while_nothing_is_read() {
        let start = Instant::now();
        let mut rate_limiter = RateLimiter::new(Rate::default(), start);
        for second in 0..10 {
            rate_limiter.begin(start + Duration::from_secs(second));
        }
        let later = start + Duration::from_secs(1_000);
        for second in 0..10 {
            let now = later + Duration::from_secs(second);
            assert_eq!(rate_limiter.next(now), now);
            rate_limiter.begin(now);
        }
        // And no more than that.
        let now = later + Duration::from_millis(9_500);
        assert!(rate_limiter.next(now) > now);
    }
}
