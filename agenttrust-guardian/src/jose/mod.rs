//! Signed tokens of others: read strictly, and verified by the keys that their issuer published.
//!
//! What a token says of itself chooses nothing that matters. The algorithm must be the one that the key is for. The key
//! comes from the issuer and never from the token. What could be read in two ways is not read at all.

mod claims;
mod json;
mod key;
mod key_set;
mod refusal;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use self::claims::{Claims, Expected, SKEW, Typ};
pub(crate) use self::key_set::KeySet;
pub(crate) use self::refusal::Refusal;
pub(crate) use self::token::Unverified;
