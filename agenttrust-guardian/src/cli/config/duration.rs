//! How long the time spans are that the program is told.

use std::time::Duration;

use crate::domain::duration::{self, Unit};

/// The units of what is over soon.
const SHORT: [Unit; 2] = [("s", 1_000), ("ms", 1)];

/// The longest that is taken.
const MOST: Duration = Duration::from_secs(365 * 86_400);

/// Reads `90s`, `5m`, `12h` or `1d`.
pub(in crate::cli) fn parse(text: &str) -> Option<Duration> {
    duration::parse(text, &duration::UNITS, MOST)
}

/// Reads `500ms` or `2s`.
pub(in crate::cli) fn read_short(text: &str) -> Option<Duration> {
    duration::parse(text, &SHORT, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_time_spans_may_be_in_milliseconds() {
        for (text, millis) in [("500ms", 500), ("2s", 2_000), ("1ms", 1)] {
            assert_eq!(read_short(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "ms", "0ms", "0s", "-1ms", "1.5ms", "5m", "5", "99999999999999999999ms"] {
            assert_eq!(read_short(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_whole_number_with_a_unit_is_a_time_span() {
        for (text, seconds) in
            [("1s", 1), ("90s", 90), ("5m", 300), ("12h", 43_200), ("1d", 86_400)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "0s",
            "-1s",
            "+1s",
            "1.5h",
            "5 m",
            "5M",
            "1h30m",
            "366d",
            "99999999999999999999d",
            "400000000000000000d",
            "5µ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
