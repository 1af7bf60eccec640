//! How long an approval is waited for, as people write it: `30s`, `5m`, `1h`, `1m30s`.

/// The units from the longest to the shortest, in seconds.
const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

const EXPECTED: &str = "expected a duration such as \"30s\", \"5m\", \"1h\" or \"1m30s\"";

/// Returns the duration in seconds, or a sentence that says what is wrong with it.
pub(crate) fn parse_seconds(text: &str) -> Result<u64, String> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut longest = u64::MAX;
    while !rest.is_empty() {
        let unit_at = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(format!("`{rest}` has no unit; {EXPECTED}"))?;
        let (digits, tail) = rest.split_at(unit_at);
        let unit = tail.chars().next().unwrap_or_default();
        let seconds = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, seconds)| *seconds)
            .filter(|seconds| !digits.is_empty() && *seconds < longest)
            .ok_or(EXPECTED)?;
        let count: u64 = digits.parse().map_err(|_| EXPECTED)?;
        total = count
            .checked_mul(seconds)
            .and_then(|part| total.checked_add(part))
            .ok_or("the duration is too long to be counted in seconds")?;
        longest = seconds;
        rest = tail.get(unit.len_utf8()..).unwrap_or_default();
    }
    if total == 0 {
        return Err(format!("a wait of nothing is `on_elevation = \"fail\"`; {EXPECTED}"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_duration_is_read() {
        assert_eq!(parse_seconds("30s"), Ok(30));
        assert_eq!(parse_seconds("5m"), Ok(300));
        assert_eq!(parse_seconds("1h"), Ok(3600));
        assert_eq!(parse_seconds("1m30s"), Ok(90));
        assert_eq!(parse_seconds("1h0m1s"), Ok(3601));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "m", "5d", "0s", "5 m", "30s1m", "1m1m", "-1s", "1.5h", "5µ"] {
            assert!(parse_seconds(text).is_err(), "{text:?} was taken for a duration");
        }
        assert!(parse_seconds("18446744073709551615h").is_err());
        assert!(parse_seconds("99999999999999999999s").is_err());
    }
}
