//! Members that gateways say in more ways than one.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

/// From here on a floating point number does not say any more which whole one is meant.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// The value, or none of it where there is `null`.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The value, or none of it where that is another thing: for what is told beside, and on which nothing depends.
pub(super) fn lenient<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned + Default,
    D: Deserializer<'de>,
{
    let said = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(said).unwrap_or_default())
}

/// The value, which `null` is not: for a member whose absence means something that a caller would not say by mistake.
pub(super) fn not_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A whole number, written as JSON Schema lets an integer be written: `300` or `300.0`.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    read_whole(&Number::deserialize(deserializer)?)
}

/// A whole number that may be left out, or be `null`.
pub(super) fn whole_or_none<'de, D>(deserializer: D) -> Result<Option<u64>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    let whole = read_whole(&number)?;
    u64::try_from(whole).map(Some).map_err(|_| D::Error::custom(format!("{number} is below zero")))
}

fn read_whole<E: Error>(number: &Number) -> Result<i64, E> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() < INEXACT;
    // Exact, as it was looked at.
    #[allow(clippy::cast_possible_truncation)]
    let whole = number.as_i64().or_else(|| number.as_f64().filter(exact).map(|it| it as i64));
    whole.ok_or_else(|| E::custom(format!("{number} is not a whole number in range")))
}
