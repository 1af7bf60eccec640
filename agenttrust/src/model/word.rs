//! Enums that travel as one lower-case word, and survive a word they do not know.

/// Declares an enum of wire words with an `Unknown` case for words of newer gateways.
///
/// `Unknown` is never treated as permission: it is not active, not approved, not open.
macro_rules! wire_words {
    (
        $(#[$outer:meta])*
        pub enum $name:ident { $( $(#[$inner:meta])* $case:ident = $word:literal, )+ }
        default = $default:ident;
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$inner])* #[serde(rename = $word)] $case, )+
            /// A word that this version does not know. Nothing is permitted because of it.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl $name {
            /// The word that travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$case => $word, )+
                    Self::Unknown => "unknown",
                }
            }

            /// The case of `word`, or `None` for a word that is not part of the protocol.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $( $word => Some(Self::$case), )+
                    _ => None,
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
