//! Federation: the issuers whose word is taken on who a caller is, what their tokens are worth, and the sessions of
//! those.

mod arrivals;
mod discovery;
mod introspection;
pub(crate) mod providers;
mod sessions;
mod test;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod verify;

pub(crate) use self::arrivals::{Arrived, nowhere, recognise};
pub(crate) use self::introspection::introspect;
pub(crate) use self::sessions::{begin, no_rule};
pub(crate) use self::test::test;
pub(crate) use self::verify::{Audiences, NO_SUCH_TOKEN, NotVerified, Verified, refused, verify};

/// The number of characters of another one's text that are told: a token, an issuer, a name.
const TOLD_CHARS: usize = 200;

/// Returns the beginning of a text of another one, as far as it is told.
fn cut(text: &str) -> String {
    text.chars().take(TOLD_CHARS).collect()
}
