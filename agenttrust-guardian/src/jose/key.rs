//! One public key of an issuer, and whether it may be used.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use serde_json::{Map, Value};

use super::token::NAME_MAX_BYTES;

/// The lengths that the modulus of an RSA key may have, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The largest length of the exponent of an RSA key, in bytes; nearly all have three.
const RSA_EXPONENT_MAX_BYTES: usize = 4;

/// Members that only a private or a shared key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The algorithms that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Returns the algorithm that a header names, letter by letter.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa].into_iter().find(|known| known.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns how long its signatures are in bytes, where that does not depend on the key.
    pub(super) fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::Rs256 => None,
            Self::Es256 | Self::EdDsa => Some(64),
        }
    }

    fn library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A public key that signs by one algorithm.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    /// The public half as the library takes it, by which two keys are compared.
    material: [Vec<u8>; 2],
    decoding: DecodingKey,
}

impl Key {
    /// Reads a JWK.
    ///
    /// # Errors
    ///
    /// Why it may not verify a signature, to follow "the key".
    pub(super) fn read(jwk: &Value) -> Result<Self, String> {
        let Value::Object(jwk) = jwk else { return Err("is no JSON object".to_owned()) };
        if let Some(member) = PRIVATE.into_iter().find(|member| jwk.contains_key(*member)) {
            return Err(format!("has the member {member:?}, which only a secret key has"));
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) if (1..=NAME_MAX_BYTES).contains(&kid.len()) => {
                Some(kid.clone())
            }
            Some(_) => {
                return Err(format!("has a kid that is no text of 1 to {NAME_MAX_BYTES} bytes"));
            }
        };
        let (algorithm, material, decoding) = match text(jwk, "kty")? {
            "RSA" => rsa(jwk)?,
            "EC" => p256(jwk)?,
            "OKP" => ed25519(jwk)?,
            _ => return Err("is of no kind (kty) that is taken: RSA, EC or OKP".to_owned()),
        };
        check_use(jwk, algorithm)?;
        Ok(Self { kid, algorithm, material, decoding })
    }

    /// Returns whether both are the same key.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.material == other.material
    }

    /// Returns whether this key made the signature.
    pub(super) fn signed(&self, message: &str, signature: &[u8]) -> bool {
        // By its name, and not by what the program chose: one that asks for another backend of the library too has
        // chosen none.
        let verifier =
            (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.library(), &self.decoding);
        let signature = signature.to_vec();
        verifier.is_ok_and(|verifier| verifier.verify(message.as_bytes(), &signature).is_ok())
    }
}

/// Refuses a key that is there for something else.
fn check_use(jwk: &Map<String, Value>, algorithm: Algorithm) -> Result<(), String> {
    let of_key = algorithm.name();
    match jwk.get("alg") {
        None => {}
        Some(Value::String(alg)) if alg == of_key => {}
        Some(_) => return Err(format!("is for another algorithm (alg) than {of_key}")),
    }
    match jwk.get("use") {
        None => {}
        Some(Value::String(of)) if of == "sig" => {}
        Some(_) => return Err("is for another use (use) than \"sig\"".to_owned()),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(_) => Err("is for other operations (key_ops) than \"verify\"".to_owned()),
    }
}

type Read = (Algorithm, [Vec<u8>; 2], DecodingKey);

fn rsa(jwk: &Map<String, Value>) -> Result<Read, String> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let bits = match n.first() {
        // Such a number is written in one way only.
        None | Some(0) => {
            return Err("has a modulus (n) that is empty or begins with zero".to_owned());
        }
        Some(first) => (n.len() * 8).saturating_sub(first.leading_zeros() as usize),
    };
    if !RSA_BITS.contains(&bits) {
        let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
        return Err(format!("has {bits} bits; {least} to {most} are taken"));
    }
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    // Signatures by 1 are the message itself: anyone writes them.
    if !odd || e == [1] || e.first() == Some(&0) || e.len() > RSA_EXPONENT_MAX_BYTES {
        return Err("has an exponent (e) that is no odd number between 3 and 2³²".to_owned());
    }
    let decoding = DecodingKey::from_rsa_raw_components(&n, &e);
    Ok((Algorithm::Rs256, [n, e], decoding))
}

fn p256(jwk: &Map<String, Value>) -> Result<Read, String> {
    if text(jwk, "crv")? != "P-256" {
        return Err("is on another curve (crv) than P-256".to_owned());
    }
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err("has a coordinate (x, y) that is not 32 bytes long".to_owned());
    }
    let point = [&[4][..], &x, &y].concat();
    if ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).is_err() {
        return Err("is no point (x, y) of P-256".to_owned());
    }
    let decoding = DecodingKey::from_ec_der(&point);
    Ok((Algorithm::Es256, [x, y], decoding))
}

fn ed25519(jwk: &Map<String, Value>) -> Result<Read, String> {
    if text(jwk, "crv")? != "Ed25519" {
        return Err("is on another curve (crv) than Ed25519".to_owned());
    }
    let x = bytes(jwk, "x")?;
    let point = <[u8; 32]>::try_from(x.as_slice()).ok();
    let point = point.and_then(|x| VerifyingKey::from_bytes(&x).ok());
    // By a point of small order one signature may fit many messages.
    if point.is_none_or(|point| point.is_weak()) {
        return Err("is no point (x) of Ed25519 that keys are made of".to_owned());
    }
    let decoding = DecodingKey::from_ed_der(&x);
    Ok((Algorithm::EdDsa, [x, Vec::new()], decoding))
}

fn text<'k>(jwk: &'k Map<String, Value>, member: &str) -> Result<&'k str, String> {
    let found = jwk.get(member).and_then(Value::as_str);
    found.ok_or_else(|| format!("has no text {member:?}"))
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, String> {
    let decoded = URL_SAFE_NO_PAD.decode(text(jwk, member)?);
    decoded.map_err(|_| format!("has a {member:?} that is no base64url without padding"))
}
