//! An issuer of the tests: keys that everybody knows, and tokens signed by them.

use agenttrust::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::jose::{Claims, Expected, KeySet, Refusal, Typ, Unverified};

pub(super) const ISSUER: &str = "https://issuer.example";
pub(super) const AUDIENCE: &str = "https://guardian.example";
/// The present of these tests, in seconds since 1970.
pub(super) const NOW: i64 = 1_900_000_000;

/// Returns the keys of the tests, by name.
pub(super) fn known(name: &str) -> Value {
    let keys = include_str!("../../../tests/data/keys.json");
    serde_json::from_str::<Value>(keys).unwrap()[name].take()
}

/// A key of the issuer's.
pub(super) struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    public: Value,
}

impl Signer {
    pub(super) fn new(name: &str) -> Self {
        let known = known(name);
        let der = decode(known["der"].as_str().unwrap());
        let (algorithm, key) = match known["algorithm"].as_str().unwrap() {
            "RS256" => (Algorithm::RS256, EncodingKey::from_rsa_der(&der)),
            "ES256" => (Algorithm::ES256, EncodingKey::from_ec_der(&der)),
            "EdDSA" => (Algorithm::EdDSA, EncodingKey::from_ed_der(&der)),
            other => panic!("{other}"),
        };
        Self { algorithm, key, public: known["public"].clone() }
    }

    /// Signs by another algorithm of the same key, or with another key by this one.
    pub(super) fn by(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Creates a shared secret.
    pub(super) fn hmac(secret: &[u8]) -> Self {
        let key = EncodingKey::from_secret(secret).unwrap();
        Self { algorithm: Algorithm::HS256, key, public: Value::Null }
    }

    /// Returns the public half under an id, with more members.
    pub(super) fn jwk(&self, kid: &str, more: Value) -> Value {
        with(with(self.public.clone(), json!({ "kid": kid })), more)
    }

    pub(super) fn signature(&self, message: &str) -> String {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap()
    }

    /// Signs a header and claims that are written already.
    pub(super) fn raw(&self, header: &[u8], claims: &[u8]) -> String {
        self.over(&format!("{}.{}", encode(header), encode(claims)))
    }

    /// Signs whatever this is.
    pub(super) fn over(&self, message: &str) -> String {
        format!("{message}.{}", self.signature(message))
    }

    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        self.raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Returns `object` and these members more, in place of those of the same name; `null` takes one away.
pub(super) fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}

/// Claims with which a token is good.
pub(super) fn good() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "iat": NOW, "exp": NOW + 600 })
}

/// Returns the header of a good token that is signed with the issuer's key on Ed25519.
pub(super) fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "ed", "typ": "JWT" })
}

/// Returns a token of the issuer's, signed, with these members of header and claims in place of the good ones.
pub(super) fn signed(in_header: Value, in_claims: Value) -> String {
    Signer::new("ed25519").token(&with(header(), in_header), &with(good(), in_claims))
}

/// Returns what the issuer publishes.
pub(super) fn published(more: &[Value]) -> KeySet {
    let mut keys = vec![
        Signer::new("rsa").jwk("rsa", json!({ "alg": "RS256", "use": "sig" })),
        Signer::new("p256").jwk("ec", json!({ "alg": "ES256", "key_ops": ["verify"] })),
        Signer::new("ed25519").jwk("ed", json!({})),
    ];
    keys.extend_from_slice(more);
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub(super) fn now() -> Timestamp {
    at(NOW)
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
}

/// Reads and verifies a token by these keys, as one that is to be a token of `typ`.
pub(super) fn verify_as(keys: &KeySet, typ: Typ, token: &str) -> Result<Claims, Refusal> {
    let audiences = ["https://elsewhere.example".to_owned(), AUDIENCE.to_owned()];
    let expected = Expected { issuer: ISSUER, audiences: &audiences, typ, now: now() };
    keys.verify(&Unverified::read(token)?, &expected)
}

/// Reads and verifies a token by what the issuer publishes.
pub(super) fn verify(token: &str) -> Result<Claims, Refusal> {
    verify_as(&published(&[]), Typ::External, token)
}
