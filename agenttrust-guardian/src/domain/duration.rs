//! Time spans as people write them: a whole number and a unit.

use std::time::Duration;

use super::numbers::digits;

/// A unit, and how many milliseconds it is.
pub(crate) type Unit = (&'static str, u64);

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The units of most time spans, the longest first: `90s`, `5m`, `12h` or `1d`.
pub(crate) const UNITS: [Unit; 4] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)];

/// Reads a time span in one of these units, above zero and at most so long.
pub(crate) fn parse(text: &str, units: &[Unit], most: Duration) -> Option<Duration> {
    let read = |(unit, millis): &Unit| digits(text.strip_suffix(unit)?)?.checked_mul(*millis);
    let span = Duration::from_millis(units.iter().find_map(read)?);
    (!span.is_zero() && span <= most).then_some(span)
}

/// Spells whole seconds in the longest unit that leaves nothing over.
pub(crate) fn spell(span: Duration) -> String {
    let seconds = span.as_secs();
    let mut units = UNITS.into_iter().map(|(unit, millis)| (unit, millis / SECOND));
    let fits = |(_, each): &(&str, u64)| seconds >= *each && seconds.is_multiple_of(*each);
    let (unit, each) = units.find(fits).unwrap_or(("s", 1));
    format!("{}{unit}", seconds / each)
}

/// Says a time span as people do, rounded: `45 s`, `9 min`, `5 h`, `3 days`.
pub(crate) fn say(span: Duration) -> String {
    let seconds = span.as_secs().saturating_add(u64::from(span.subsec_millis() >= 500));
    let rounded = |unit: u64| seconds.saturating_add(unit / SECOND / 2) / (unit / SECOND);
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", rounded(MINUTE)),
        5_400..129_600 => format!("{} h", rounded(HOUR)),
        _ => format!("{} days", rounded(DAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_span_is_said_rounded_in_one_unit() {
        for (millis, said) in [
            (0, "0 s"),
            (499, "0 s"),
            (500, "1 s"),
            (89_000, "89 s"),
            (90_000, "2 min"),
            (299_800, "5 min"),
            (5_399_000, "90 min"),
            (5_400_000, "2 h"),
            (DAY, "24 h"),
            (2 * DAY, "2 days"),
            (90 * DAY, "90 days"),
        ] {
            assert_eq!(say(Duration::from_millis(millis)), said, "{millis}");
        }
        assert!(say(Duration::MAX).ends_with(" days"));
    }

    #[test]
    fn a_time_span_reads_as_it_was_written() {
        for (seconds, text) in
            [(1, "1s"), (60, "1m"), (90, "90s"), (3_600, "1h"), (7_200, "2h"), (86_400, "1d")]
        {
            let span = Duration::from_secs(seconds);
            assert_eq!(spell(span), text);
            assert_eq!(parse(text, &UNITS, span), Some(span));
            assert_eq!(parse(text, &UNITS, span - Duration::from_nanos(1)), None, "it is longer");
        }
    }
}
