//! Members that gateways say in more ways than one.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

/// The number from which on a floating point number does not say any more which whole one is meant.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the value, or none of it where there is `null`.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Returns the value, or none of it where that is another thing: for what is told beside, and on which nothing depends.
pub(super) fn lenient<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned + Default,
    D: Deserializer<'de>,
{
    let said = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(said).unwrap_or_default())
}

/// Returns the value, which `null` is not: for a member whose absence means something that a caller would not say by
/// mistake.
pub(crate) fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Returns a whole number, written as JSON Schema lets an integer be written: `300` or `300.0`.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    read_whole(&Number::deserialize(deserializer)?)
}

/// Returns a whole number that may be left out, or be `null`.
pub(super) fn whole_or_none<'de, D>(deserializer: D) -> Result<Option<u64>, D::Error>
where
    D: Deserializer<'de>,
{
    Option::<Number>::deserialize(deserializer)?.as_ref().map(read_whole).transpose()
}

fn read_whole<N: TryFrom<i128>, E: Error>(number: &Number) -> Result<N, E> {
    let whole = whole_number(number).and_then(|whole| N::try_from(whole).ok());
    whole.ok_or_else(|| E::custom(format!("{number} is not a whole number in range")))
}

/// Returns the whole number that a JSON number is, also where it is written with a fraction of nothing, as `300.0`.
#[must_use]
pub fn whole_number(number: &Number) -> Option<i128> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() < INEXACT;
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    // Exact, as it was looked at.
    #[allow(clippy::cast_possible_truncation)]
    whole.or_else(|| number.as_f64().filter(exact).map(|number| number as i128))
}
