//! How long to wait before trying again, and how long to go on trying.

use std::time::Duration;

use agenttrust::Timestamp;
use backon::{BackoffBuilder, ExponentialBuilder};

/// The first wait, without what chance adds to it ...
const FIRST: Duration = Duration::from_secs(5);
/// ... each is so many times the one before ...
const FACTOR: f32 = 3.0;
/// ... up to this.
const LONGEST: Duration = Duration::from_secs(3 * 3_600);
/// The time after which a receiver that was away is told no more: it reads the list instead.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// Returns when to try again what was begun at `begun` and failed at `now` for the `attempts`-th time; `None`
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

/// The first wait for a destination of events, without what chance adds to it. It gets every event sooner or later, so
/// it is asked often ...
const FIRST_ASKED: Duration = Duration::from_secs(1);
/// ... and so often at least.
pub(super) const ASKED_EVERY: Duration = Duration::from_secs(5 * 60);
/// The number of failures after which the waits grow no more.
const FAILED_MOST: usize = 16;
/// The longest wait that a receiver may ask for.
const ASKED_FOR_MOST: Duration = Duration::from_secs(3_600);

/// Returns how long to wait before a destination is tried again that failed for the `attempts`-th time, and asked to be
/// left alone for `asked_for`, if it did. It is never given up.
pub(super) fn pause(attempts: i64, asked_for: Option<Duration>) -> Duration {
    let failed = usize::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    let waits = ExponentialBuilder::new()
        .with_min_delay(FIRST_ASKED)
        .with_factor(2.0)
        .with_max_delay(ASKED_EVERY / 2)
        .without_max_times()
        .with_jitter();
    let own = waits.build().nth(failed.min(FAILED_MOST)).unwrap_or(ASKED_EVERY);
    match asked_for {
        None => own,
        // Not before it, and by chance a little later.
        Some(asked_for) => {
            let chance = Duration::from_nanos(own.subsec_nanos().into());
            asked_for.clamp(FIRST_ASKED, ASKED_FOR_MOST) + chance
        }
    }
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
    fn a_destination_is_tried_again_for_ever_and_at_least_every_five_minutes() {
        let mut least = FIRST_ASKED;
        for attempts in 1..200 {
            let wait = pause(attempts, None);
            assert!(wait >= least && wait <= ASKED_EVERY, "{attempts}: {wait:?}");
            least = (2 * least).min(ASKED_EVERY / 2);
        }
        assert!(pause(i64::MAX, None) <= ASKED_EVERY && pause(i64::MIN, None) <= 2 * FIRST_ASKED);
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_asks_within_bounds() {
        let second = Duration::from_secs(1);
        for (asked_for, least) in [(30, 30), (0, 1), (u64::MAX, 3_600)] {
            for attempts in [1, 50] {
                let wait = pause(attempts, Some(Duration::from_secs(asked_for)));
                let least = least * second;
                assert!(wait >= least && wait <= least + second, "{asked_for}: {wait:?}");
            }
        }
    }

    #[test]
    fn waits_differ_by_chance() {
        let pauses: std::collections::HashSet<_> =
            (0..20).map(|_| pause(3, Some(FIRST_ASKED))).collect();
        assert!(pauses.len() > 10, "{pauses:?}");
        let begun = Timestamp::now();
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| next_attempt(begun, 3, begun)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
