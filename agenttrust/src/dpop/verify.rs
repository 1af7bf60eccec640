//! Reading a proof, and saying whether it is good (RFC 9449, 4.3).
//!
//! The caller remembers which `jti` was used before, and the server that gave out a nonce knows what it is worth.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::{Number, Value};
use subtle::ConstantTimeEq;

use super::jwk::{Jwk, thumbprint};
use super::{ALGORITHM, TYPE, json, token_hash, uri};
use crate::model::Timestamp;
use crate::model::tolerant::not_null;

/// The longest proof that is read.
pub const PROOF_MAX_BYTES: usize = 8 << 10;
/// The largest number of characters that the id of a proof has.
pub const JTI_MAX_CHARS: usize = 200;
/// The longest time between a proof and now, before and after.
pub const WINDOW: Duration = Duration::from_secs(60);

/// The request and the token that a proof has to be good for.
#[derive(Clone, Copy)]
pub struct ExpectedProof<'a> {
    /// The key that it is to be made with, by its [`thumbprint`]: what the token says in `cnf.jkt`.
    pub thumbprint: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The address of the request, in each of the forms by which it may have been reached.
    pub urls: &'a [String],
    /// The token that came with it.
    pub access_token: &'a str,
    /// The present.
    pub now: Timestamp,
}

impl std::fmt::Debug for ExpectedProof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpectedProof")
            .field("thumbprint", &self.thumbprint)
            .field("method", &self.method)
            .field("urls", &self.urls)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A proof that is good, as far as can be told from itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// The proof's id: good once for its key, as long as the proof's time is within the [`WINDOW`].
    pub jti: String,
    /// The time when the proof was made, in seconds since 1970.
    pub iat: i64,
    /// The nonce in it.
    pub nonce: Option<String>,
}

/// The reason why a proof is not good. `Display` names the fault and nothing of what the proof holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofRefusal {
    /// A proof that is longer than [`PROOF_MAX_BYTES`].
    #[error("the proof is longer than 8 KiB")]
    TooLong,
    /// A proof that is not one signed token in three parts.
    #[error("the proof is no compact JWS of three parts in base64url without padding")]
    NotCompact,
    /// A header that cannot be read.
    #[error(
        "the header of the proof is no JSON object with `typ`, `alg` and `jwk`, or has a member twice"
    )]
    Header,
    /// A proof of another type.
    #[error("the `typ` of the proof is not dpop+jwt")]
    Type,
    /// A proof that is signed by another algorithm.
    #[error("the `alg` of the proof is not EdDSA")]
    Algorithm,
    /// A header that asks for more than is known, or names a key once more.
    #[error(
        "the header of the proof has a member that none may have, such as `crit`, `kid` or `x5c`"
    )]
    Extra,
    /// A key that may not verify.
    #[error("the `jwk` of the proof is no public Ed25519 key, or holds more than one")]
    Key,
    /// A proof that is made with another key than the one that the token is bound to.
    #[error("the proof is made with another key than the one that the token is bound to")]
    OtherKey,
    /// A signature that does not go with the proof.
    #[error("the signature of the proof does not go with it")]
    Signature,
    /// Claims that cannot be read.
    #[error(
        "the claims of the proof are no JSON object with `htm`, `htu`, `iat`, `jti` and `ath` of their types, or have a \
         member twice"
    )]
    Claims,
    /// A proof for another method.
    #[error("the proof is for another method (`htm`)")]
    Method,
    /// A proof for another address.
    #[error("the proof is for another address (`htu`)")]
    Url,
    /// A proof for another token.
    #[error("the proof is for another token (`ath`)")]
    Token,
    /// A proof that was made too long ago.
    #[error("the proof was made more than 60 s ago (`iat`)")]
    Stale,
    /// A proof whose time is later than now.
    #[error(
        "the proof says that it is made more than 60 s from now (`iat`); see that the clocks agree"
    )]
    Early,
    /// A proof whose id is empty or too long.
    #[error("the `jti` of the proof has not between 1 and 200 characters")]
    Id,
}

/// The members that a header may not have: those that would have to be understood, and those that name the key once
/// more.
const FORBIDDEN: [&str; 11] =
    ["crit", "b64", "zip", "enc", "cty", "kid", "jku", "x5u", "x5c", "x5t", "x5t#S256"];

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
}

#[derive(Deserialize)]
struct Claims {
    htm: String,
    htu: String,
    iat: Number,
    jti: String,
    ath: String,
    #[serde(default, deserialize_with = "not_null")]
    nonce: Option<String>,
}

/// Returns the proof, if it is good for this request.
///
/// # Errors
///
/// [`ProofRefusal`], the first reason of those that there are.
pub fn verify_proof(proof: &str, expected: &ExpectedProof<'_>) -> Result<Proof, ProofRefusal> {
    if proof.len() > PROOF_MAX_BYTES {
        return Err(ProofRefusal::TooLong);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(ProofRefusal::NotCompact)?;
    let (header, claims) = signed.split_once('.').ok_or(ProofRefusal::NotCompact)?;
    let [header, claims, signature] = [header, claims, signature]
        .map(|part| URL_SAFE_NO_PAD.decode(part).map_err(|_| ProofRefusal::NotCompact));
    let (header, claims, signature) = (header?, claims?, signature?);

    let key = key_of(&header)?;
    let signature = Signature::from_slice(&signature).map_err(|_| ProofRefusal::Signature)?;
    let is_signed = key.verify_strict(signed.as_bytes(), &signature).is_ok();
    if !is_signed {
        return Err(ProofRefusal::Signature);
    }
    if !same(&thumbprint(&key), expected.thumbprint) {
        return Err(ProofRefusal::OtherKey);
    }
    read_claims(&claims, expected)
}

fn key_of(header: &[u8]) -> Result<VerifyingKey, ProofRefusal> {
    let members = json::object(header).ok_or(ProofRefusal::Header)?;
    if FORBIDDEN.iter().any(|name| members.contains_key(*name)) {
        return Err(ProofRefusal::Extra);
    }
    let header: Header =
        serde_json::from_value(Value::Object(members)).map_err(|_| ProofRefusal::Header)?;
    if header.typ != TYPE {
        return Err(ProofRefusal::Type);
    }
    if header.alg != ALGORITHM {
        return Err(ProofRefusal::Algorithm);
    }
    let jwk: Jwk = serde_json::from_value(header.jwk).map_err(|_| ProofRefusal::Key)?;
    jwk.key().ok_or(ProofRefusal::Key)
}

fn read_claims(claims: &[u8], expected: &ExpectedProof<'_>) -> Result<Proof, ProofRefusal> {
    let claims = json::object(claims).ok_or(ProofRefusal::Claims)?;
    let claims: Claims =
        serde_json::from_value(Value::Object(claims)).map_err(|_| ProofRefusal::Claims)?;
    if claims.htm != expected.method {
        return Err(ProofRefusal::Method);
    }
    let htu = uri::of_proof(&claims.htu).ok_or(ProofRefusal::Url)?;
    let mut urls = expected.urls.iter().filter_map(|url| uri::of_request(url));
    if !urls.any(|url| url == htu) {
        return Err(ProofRefusal::Url);
    }
    if !same(&claims.ath, &token_hash(expected.access_token)) {
        return Err(ProofRefusal::Token);
    }
    let iat = seconds(&claims.iat).ok_or(ProofRefusal::Claims)?;
    let (now, window) = (expected.now.unix_seconds(), WINDOW.as_secs().cast_signed());
    if iat < now.saturating_sub(window) {
        return Err(ProofRefusal::Stale);
    }
    if iat > now.saturating_add(window) {
        return Err(ProofRefusal::Early);
    }
    // Counted no further than it may be long.
    if !(1..=JTI_MAX_CHARS).contains(&claims.jti.chars().take(JTI_MAX_CHARS + 1).count()) {
        return Err(ProofRefusal::Id);
    }
    Ok(Proof { jti: claims.jti, iat, nonce: claims.nonce })
}

/// Returns a time in whole seconds: a number with a fraction is one too (RFC 7519, 2).
fn seconds(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let number = number.as_f64().filter(|number| number.abs() < 1e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is far below what fits")]
    Some(number.floor() as i64)
}

fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests;
