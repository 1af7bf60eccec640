//! The keys that sign cards: how a Guardian publishes them, and how they are trusted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::tolerant::or_default;

/// The keys by which cards are signed, as a JSON Web Key Set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CardKeys {
    /// The newest first. After a rotation the former key stays for a while.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub keys: Vec<CardKey>,
}

impl CardKeys {
    /// Returns those of these keys by which a signature can be verified, to be trusted.
    ///
    /// Which keys are trusted is for an operator to say: trust those of a Guardian of yours, or such as came to you by
    /// a way of their own.
    #[must_use]
    pub fn trusted(&self) -> Vec<TrustedKey> {
        self.keys.iter().filter_map(|key| TrustedKey::from_jwk(key).ok()).collect()
    }
}

/// A public key, as a JSON Web Key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct CardKey {
    /// The type of the key: `OKP` for Ed25519.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub kty: String,
    /// The curve: `Ed25519`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub crv: String,
    /// The key itself, 32 bytes in base64url.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub x: String,
    /// The key's id; a signature names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub kid: Option<String>,
    /// The algorithm that it is for: `EdDSA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub alg: Option<String>,
    /// The use of the key: `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub usage: Option<String>,
    /// Until when a key still signs that another one took the place of: of our Guardian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub ends_at: Option<Timestamp>,
}

impl CardKey {
    /// Makes the JSON Web Key of an Ed25519 key, of which `x` is the public half.
    #[must_use]
    pub fn ed25519(x: &[u8; 32]) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(x),
            ..Self::default()
        }
    }

    /// Returns the key itself, where it is one of Ed25519.
    pub(crate) fn bytes(&self) -> Option<[u8; 32]> {
        if self.kty != "OKP" || self.crv != "Ed25519" {
            return None;
        }
        URL_SAFE_NO_PAD.decode(&self.x).ok()?.try_into().ok()
    }
}

/// Says that something is no key by which cards could be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCardKey {
    /// A text that is not a JSON Web Key of Ed25519.
    #[error(
        "the key is no Ed25519 public key; a JSON Web Key of one has `kty` OKP, `crv` Ed25519 and 32 bytes as `x`"
    )]
    Jwk,
    /// A text that is not an Ed25519 key in PEM.
    #[error("the key is no Ed25519 public key in PKIX PEM; give another one")]
    Pem,
}

/// A key whose signatures are believed.
///
/// ```
/// use agenttrust::model::TrustedKey;
///
/// let pem = "-----BEGIN PUBLIC KEY-----\n\
///            MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
///            -----END PUBLIC KEY-----\n";
/// let key = TrustedKey::from_pem(pem)?.with_kid("2026-11");
/// assert_eq!(key.kid(), Some("2026-11"));
/// # Ok::<(), agenttrust::model::InvalidCardKey>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct TrustedKey {
    kid: Option<String>,
    key: VerifyingKey,
}

impl TrustedKey {
    /// Trusts this key of a JSON Web Key Set, under its id.
    ///
    /// # Errors
    ///
    /// [`InvalidCardKey`] for what is no Ed25519 key.
    pub fn from_jwk(jwk: &CardKey) -> Result<Self, InvalidCardKey> {
        let key = jwk.bytes().and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let key = key.filter(|key| !key.is_weak()).ok_or(InvalidCardKey::Jwk)?;
        Ok(Self { kid: jwk.kid.clone().filter(|kid| !kid.is_empty()), key })
    }

    /// Trusts this Ed25519 public key, PKIX PEM.
    ///
    /// # Errors
    ///
    /// [`InvalidCardKey`] for what is no such key.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidCardKey> {
        let key = VerifyingKey::from_public_key_pem(pem).ok().filter(|key| !key.is_weak());
        let key = key.ok_or(InvalidCardKey::Pem)?;
        Ok(Self { kid: None, key })
    }

    /// Takes the key only for signatures that name it by this id.
    #[must_use]
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self { kid: Some(kid.into()), ..self }
    }

    /// Returns the id by which signatures name it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_of_another_kind_is_not_trusted() {
        let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let keys: CardKeys = serde_json::from_value(serde_json::json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "x": good, "kid": "one" },
            { "kty": "OKP", "crv": "X25519", "x": good, "kid": "two" },
            { "kty": "RSA", "n": "0vx7", "e": "AQAB", "kid": "three" },
            { "kty": "OKP", "crv": "Ed25519", "x": "AQ", "kid": "four" },
            // The neutral element: everything would be signed by it.
            { "kty": "OKP", "crv": "Ed25519", "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "five" },
        ] }))
        .unwrap();
        let trusted = keys.trusted();
        assert_eq!(trusted.iter().map(TrustedKey::kid).collect::<Vec<_>>(), [Some("one")]);
    }
}
