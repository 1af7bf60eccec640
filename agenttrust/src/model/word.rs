//! Enums that travel as one lower-case word, and survive a word they do not know.

/// Declares an enum of wire words with an `Unknown` case for words of newer gateways. What a word of it is called is
/// for people, who do not know our types. A word behind `|` is read like the one before it, and never sent.
///
/// `Unknown` is never treated as permission: it is not active, not approved, not open.
macro_rules! wire_words {
    (
        $(#[$outer:meta])*
        pub enum $name:ident as $called:literal { $( $(#[$inner:meta])* $case:ident = $word:literal $(| $also:literal)*, )+ }
        default = $default:ident;
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$inner])* #[serde(rename = $word $(, alias = $also)*)] $case, )+
            /// A word that this version does not know. Nothing is permitted because of it.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl $name {
            /// Returns the word that travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$case => $word, )+
                    Self::Unknown => "unknown",
                }
            }

        }

        impl std::str::FromStr for $name {
            type Err = crate::model::ParseWordError;

            /// Reads a word of the protocol; others are an error, not `Unknown`.
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $( $word $(| $also)* => Ok(Self::$case), )+
                    other => Err(crate::model::ParseWordError::new(
                        $called, other, &[$( $word, )+],
                    )),
                }
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                // `unknown` is what a reader makes of other words. Nobody sends it.
                super::schema::word(&[$( $word, )+])
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
    };
}

pub(crate) use wire_words;

/// Says that a word is not part of the protocol, and which are.
///
/// ```
/// use agenttrust::SessionMode;
///
/// let error = "lax".parse::<SessionMode>().unwrap_err();
/// assert_eq!(error.to_string(), "\"lax\" is no mode of a session; use open, restricted or supervised");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {of}; use {}", either(.known))]
pub struct ParseWordError {
    of: &'static str,
    word: String,
    known: &'static [&'static str],
}

impl ParseWordError {
    pub(crate) fn new(of: &'static str, word: &str, known: &'static [&'static str]) -> Self {
        // Whoever sent it chose its length.
        Self { of, word: word.chars().take(40).collect(), known }
    }
}

/// Returns the words as a sentence lists them.
fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        A2ATaskStatus, AgentStatus, ApprovalStatus, AuditCheckpointSays, Binds, BoundTo,
        DeliveryStatus, Effect, HealthStatus, Issued, KeyRole, PolicyEffect, PolicyLimitPer,
        PolicySource, SessionMode, SessionSource, SessionState, TaskRole, TaskState,
        TelemetryEventType, TokenKind, TokenState, TrustLevel, WebhookEvent,
    };

    #[test]
    fn word_that_is_unknown_is_refused_in_words_of_people_and_not_of_our_types() {
        macro_rules! refusals {
            ($($word:ty),+) => { [$((stringify!($word), "foo".parse::<$word>().unwrap_err().to_string())),+] };
        }
        let refusals = refusals![
            AgentStatus,
            ApprovalStatus,
            AuditCheckpointSays,
            Binds,
            BoundTo,
            DeliveryStatus,
            Effect,
            HealthStatus,
            Issued,
            KeyRole,
            PolicyEffect,
            PolicyLimitPer,
            PolicySource,
            SessionMode,
            SessionSource,
            SessionState,
            TelemetryEventType,
            TokenKind,
            TokenState,
            TrustLevel,
            WebhookEvent,
            A2ATaskStatus,
            TaskRole,
            TaskState
        ];
        for (of, said) in &refusals {
            assert!(!said.contains(of), "{said}");
            let before = said.split("; use ").next().unwrap();
            assert_eq!(before, before.to_lowercase(), "{said}");
        }
        assert_eq!(
            refusals[1].1,
            "\"foo\" is no status of an approval; use pending, approved, denied, expired or consumed"
        );
    }
}
