//! What a call does to the world: the scale that policies speak in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The effect of a tool call, from weakest to strongest (SDK guide, section 5).
///
/// The order is the strength: `Effect::Read < Effect::Admin`.
///
/// ```
/// use agenttrust::Effect;
///
/// assert!(Effect::Destructive > Effect::Mutating);
/// assert_eq!("write".parse::<Effect>()?, Effect::Mutating);
/// # Ok::<(), agenttrust::model::ParseEffectError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something that can be changed back.
    Mutating,
    /// Destroys something.
    Destructive,
    /// Changes who may do what, or the machine itself.
    Admin,
}

impl Effect {
    /// All effects, weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Mutating, Self::Destructive, Self::Admin];

    /// Returns the word that travels: `read`, `mutating`, `destructive` or `admin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Mutating => "mutating",
            Self::Destructive => "destructive",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AsRef<str> for Effect {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Effect {
    type Err = ParseEffectError;

    /// Reads an effect; `write` is accepted for `mutating`.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "read" => Ok(Self::Read),
            "mutating" | "write" => Ok(Self::Mutating),
            "destructive" => Ok(Self::Destructive),
            "admin" => Ok(Self::Admin),
            other => Err(ParseEffectError { word: other.chars().take(40).collect() }),
        }
    }
}

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

/// A word that is no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown effect {word:?}; use read, mutating, destructive or admin")]
pub struct ParseEffectError {
    word: String,
}
