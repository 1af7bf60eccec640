//! Whole numbers, as JSON and as people write them.

use agenttrust::internal::whole_number;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// Returns a whole number, written as JSON Schema lets an integer be written: `300` or `300.0`.
pub(crate) fn whole<'de, D: Deserializer<'de>, N: TryFrom<u64>>(from: D) -> Result<N, D::Error> {
    let number = Number::deserialize(from)?;
    whole_number(&number)
        .and_then(|whole| N::try_from(u64::try_from(whole).ok()?).ok())
        .ok_or_else(|| D::Error::custom(format!("{number} is not a whole number in range")))
}

/// Returns the same, where it may be left out or null.
pub(crate) fn whole_if_any<'de, D: Deserializer<'de>, N: TryFrom<u64>>(
    from: D,
) -> Result<Option<N>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    number.map(|number| whole(number).map_err(D::Error::custom)).transpose()
}

/// Returns a whole number in digits and nothing else.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
