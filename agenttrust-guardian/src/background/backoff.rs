//! How long to go on trying.

use std::time::Duration;

use agenttrust::Timestamp;
use backon::{BackoffBuilder, ExponentialBuilder};

/// The first wait, without what chance adds to it ...
const FIRST: Duration = Duration::from_secs(5);
/// ... each is so many times the one before ...
const FACTOR: f32 = 3.0;
/// ... up to this.
const LONGEST: Duration = Duration::from_secs(3 * 3_600);
/// Nobody who was away for longer than this is told any more: they read the list instead.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// When to try again what was begun at `begun` and failed at `now` for the `attempts`-th time; `None`
/// once it is given up.
pub(super) fn next_attempt(begun: Timestamp, attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let failed = usize::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    // By chance up to twice as long, so that those who were away are not met by all at once.
    let waits = ExponentialBuilder::new()
        .with_min_delay(FIRST)
        .with_factor(FACTOR)
        .with_max_delay(LONGEST)
        .without_max_times()
        .with_jitter();
    let wait = waits.build().nth(failed).unwrap_or(LONGEST);
    let next = now.saturating_add(wait);
    (begun.until(next) < GIVEN_UP_AFTER).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_than_the_one_before_until_a_day_is_over() {
        let begun = Timestamp::now();
        let (mut now, mut waits) = (begun, Vec::new());
        while let Some(next) = next_attempt(begun, waits.len() as i64 + 1, now) {
            waits.push(now.until(next));
            now = next;
        }
        let mut least = FIRST;
        for wait in &waits {
            assert!(*wait >= least && *wait <= 2 * least, "{wait:?} of {waits:?}");
            least = (3 * least).min(LONGEST);
        }
        assert!((9..=15).contains(&waits.len()), "{waits:?}");
        assert!(begun.until(now) < GIVEN_UP_AFTER);
        assert_eq!(next_attempt(begun, 1, begun.saturating_add(GIVEN_UP_AFTER)), None);
    }

    #[test]
    fn waits_differ_by_chance() {
        let begun = Timestamp::now();
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| next_attempt(begun, 3, begun)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
