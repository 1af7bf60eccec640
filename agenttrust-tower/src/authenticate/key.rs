//! What stands for a token here, so that no token is kept.

use agenttrust::internal::hex;
use sha2::{Digest, Sha256};

/// The SHA-256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn from_token(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits of either case, as revocations name tokens.
    pub(super) fn from_hex(digits: &str) -> Option<Self> {
        hex::decode(digits).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use agenttrust::Revocation;

    use super::*;

    #[test]
    fn a_token_is_known_by_its_digest_in_either_case() {
        let hex = Revocation::token_sha256("at_1");
        assert_eq!(Key::from_hex(&hex), Some(Key::from_token("at_1")));
        assert_eq!(Key::from_hex(&hex.to_uppercase()), Some(Key::from_token("at_1")));
        let wrong = ["", "at_1", &hex[1..], &format!("{hex}0"), &hex.replace(&hex[..1], "g")];
        for wrong in wrong {
            assert_eq!(Key::from_hex(wrong), None, "{wrong}");
        }
    }
}
