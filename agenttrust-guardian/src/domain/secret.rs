//! Secrets: API keys and agent tokens. Only their SHA-256 is ever kept.

use std::fmt;

use agenttrust::internal::hex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The hash of a secret, which is kept instead of it. SHA-256 without salt is enough for 256 random
/// bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the fingerprint of `secret`.
    pub(crate) fn from_text(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote.
    pub(crate) fn from_hex(digits: &str) -> Option<Self> {
        hex::decode(digits).map(Self)
    }

    /// Returns lower-case hexadecimal, as the database keeps it.
    pub(crate) fn to_hex(self) -> String {
        hex::encode(&self.0)
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// A secret on its way to the one caller who may see it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns `prefix` and 256 random bits.
    pub(crate) fn random(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bits))))
    }

    /// Returns the secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what may be kept of it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_text(&self.0)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_survives_the_database() {
        let fingerprint = Secret::random("at_").unwrap().fingerprint();
        let read = Fingerprint::from_hex(&fingerprint.to_hex()).unwrap();
        assert!(read.is(&fingerprint));
        assert!(Fingerprint::from_hex("12").is_none());
        assert!(Fingerprint::from_hex(&"zz".repeat(32)).is_none());
    }

    #[test]
    fn secret_is_never_in_debug() {
        let secret = Secret::random("sk_live_").unwrap();
        let shown = format!("{secret:?} {:?}", secret.fingerprint());
        assert_eq!(shown, "Secret(..) Fingerprint(..)");
        assert!(secret.expose().len() >= "sk_live_".len() + 43);
    }
}
