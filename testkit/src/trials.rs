//! How long random trials are.

/// Returns how many of a trial are made: all with `AGENTTRUST_TRIALS=long`, else a tenth, and at least one.
/// `scripts/trials` makes the long ones.
#[must_use]
pub fn trials(long: usize) -> usize {
    if is_long() { long } else { (long / 10).max(1) }
}

/// Returns whether trials are long.
#[must_use]
pub fn is_long() -> bool {
    std::env::var("AGENTTRUST_TRIALS").is_ok_and(|length| length == "long")
}
