//! Federation: whose word is taken on who somebody is, what their tokens are worth, and the sessions of those.

mod arrivals;
mod discovery;
pub(crate) mod providers;
mod sessions;
mod test;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod verify;
mod worth;

pub(crate) use self::arrivals::{Arrived, nowhere, recognise};
pub(crate) use self::sessions::{begin, no_rule};
pub(crate) use self::test::test;
pub(crate) use self::verify::{Audiences, NO_SUCH_TOKEN, NotVerified, Verified, refused, verify};
pub(crate) use self::worth::worth;

/// How many characters are told of what somebody else says: a token, an issuer, who registers one.
const TOLD_CHARS: usize = 200;

/// The beginning of what somebody else says, as far as it is told.
fn cut(text: &str) -> String {
    text.chars().take(TOLD_CHARS).collect()
}
