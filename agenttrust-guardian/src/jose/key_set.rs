//! The keys that an issuer publishes, and the one of them that a token is signed by.

use serde_json::Value;

use super::claims::{Claims, Expected};
use super::json;
use super::key::Key;
use super::refusal::{Excerpt, JsonFault, Refusal};
use super::token::Unverified;

/// The largest length of a list of keys, as it is sent.
pub(super) const JWKS_MAX_BYTES: usize = 1 << 20;
/// The largest number of keys in a list.
const KEYS_MOST: usize = 100;

/// The reason why a list of keys cannot be read, to follow "the keys of the issuer".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("are {0} bytes long; {JWKS_MAX_BYTES} is the most")]
    TooLong(usize),
    #[error("are no JSON object that is read in one way only: it {0}")]
    Json(JsonFault),
    #[error("are no list: the member \"keys\" of the JSON object is missing or something else")]
    NoList,
    #[error("are {0}; {KEYS_MOST} is the most")]
    TooMany(usize),
}

/// The public keys of an issuer that may verify a signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    unusable: Vec<String>,
}

impl KeySet {
    /// Reads a JWKS. A key that may not be used is left out, and listed by [`unusable`](Self::unusable).
    ///
    /// # Errors
    ///
    /// What is wrong with it as a whole.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > JWKS_MAX_BYTES {
            return Err(KeySetError::TooLong(json.len()));
        }
        let members = json::object(json).map_err(KeySetError::Json)?;
        let Some(Value::Array(listed)) = members.get("keys") else {
            return Err(KeySetError::NoList);
        };
        if listed.len() > KEYS_MOST {
            return Err(KeySetError::TooMany(listed.len()));
        }
        let mut set = Self::default();
        for (place, jwk) in listed.iter().enumerate() {
            match Key::read(jwk) {
                Ok(key) => set.add(key),
                Err(why) => set.unusable.push(format!("keys[{place}] {why}")),
            }
        }
        Ok(set)
    }

    /// Returns whether no key of it may be used.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys that may not be used, each in a sentence that says why.
    pub(crate) fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// Returns whether a key is here that the token may be signed by; if not, newer ones may have it.
    pub(crate) fn knows(&self, token: &Unverified<'_>) -> bool {
        !self.find(token).is_err_and(|refusal| refusal.is_unknown_key())
    }

    /// Verifies a token: that one of these keys signed it, and that it says what is expected.
    ///
    /// # Errors
    ///
    /// What is wrong with it. That it expired is said only of one that is right in all else.
    pub(crate) fn verify(
        &self,
        token: &Unverified<'_>,
        expected: &Expected<'_>,
    ) -> Result<Claims, Refusal> {
        expected.typ.check(token.typ.as_deref())?;
        let key = self.find(token)?;
        if let Some(wanted) = token.algorithm.signature_bytes()
            && wanted != token.signature.len()
        {
            return Err(Refusal::SignatureLength(token.signature.len(), wanted));
        }
        if !key.signed(token.signed, &token.signature) {
            return Err(Refusal::Signature);
        }
        Claims::check(token, expected)
    }

    /// Adds a key; the same key under the same id counts once.
    fn add(&mut self, key: Key) {
        if !self.keys.iter().any(|known| known.kid == key.kid && known.is_same(&key)) {
            self.keys.push(key);
        }
    }

    /// Returns the key that the token must be signed by.
    fn find(&self, token: &Unverified<'_>) -> Result<&Key, Refusal> {
        let of_algorithm = |key: &&Key| key.algorithm == token.algorithm;
        let Some(kid) = token.kid() else {
            let fitting: Vec<&Key> = self.keys.iter().filter(of_algorithm).collect();
            return match fitting.as_slice() {
                [] => Err(Refusal::NoKeyFits),
                [key] => Ok(key),
                several => Err(Refusal::KeyNotNamed(several.len())),
            };
        };
        let named: Vec<&Key> =
            self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).collect();
        let Some(first) = named.first() else {
            return Err(Refusal::UnknownKey(Excerpt::new(kid)));
        };
        let fitting: Vec<&Key> = named.iter().copied().filter(of_algorithm).collect();
        match fitting.as_slice() {
            [] => Err(Refusal::KeyOfOtherAlgorithm {
                kid: Excerpt::new(kid),
                key: first.algorithm.name(),
                token: token.algorithm.name(),
            }),
            [key] => Ok(key),
            several => Err(Refusal::KeyAmbiguous { kid: Excerpt::new(kid), count: several.len() }),
        }
    }
}
