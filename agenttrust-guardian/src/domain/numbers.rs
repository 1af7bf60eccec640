//! Whole numbers, as JSON and as people write them.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// A whole number, written as JSON Schema lets an integer be written: `300` or `300.0`.
pub(crate) fn whole<'de, D: Deserializer<'de>, N: TryFrom<u64>>(from: D) -> Result<N, D::Error> {
    /// From here on a floating point number does not say any more which one is meant.
    const INEXACT: f64 = 9_007_199_254_740_992.0;
    let number = Number::deserialize(from)?;
    let exact = |number: &f64| number.fract() == 0.0 && (0.0..INEXACT).contains(number);
    let whole = number.as_u64().or_else(|| number.as_f64().filter(exact).map(|whole| whole as u64));
    whole
        .and_then(|whole| N::try_from(whole).ok())
        .ok_or_else(|| D::Error::custom(format!("{number} is not a whole number in range")))
}

/// A whole number in digits and nothing else.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
