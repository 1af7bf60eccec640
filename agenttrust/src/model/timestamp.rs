//! Points in time as they travel.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: RFC 3339 in UTC with a `Z`, at most microseconds.
///
/// Some clients read nothing finer than microseconds, so every constructor cuts to them.
///
/// ```
/// let at: agenttrust::Timestamp = "2026-01-02T03:04:05+01:00".parse()?;
/// assert_eq!(at.to_string(), "2026-01-02T02:04:05Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Returns the present.
    #[must_use]
    pub fn now() -> Self {
        Self::cut(jiff::Timestamp::now())
    }

    /// Creates a point in time by its microseconds since 1970; out of range is `None`.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros).ok().map(Self)
    }

    /// Returns microseconds since 1970.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Returns seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Adds `duration` to this point in time; stops at the end of the calendar.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::cut(self.0.saturating_add(duration).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Returns how long until `later`; zero when it is not later.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.0.duration_since(self.0).try_into().unwrap_or_default()
    }

    fn cut(timestamp: jiff::Timestamp) -> Self {
        Self(jiff::Timestamp::from_microsecond(timestamp.as_microsecond()).unwrap_or(timestamp))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::cut)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        jiff::Timestamp::deserialize(deserializer).map(Self::cut)
    }
}
