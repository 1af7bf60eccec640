//! The digest that binds an approval to an input without revealing it.
//!
//! ```text
//! enc(input) = len(jcs) ‖ jcs ‖ [ len(n) ‖ n  for each number n beyond ±(2^53 − 1), in order ]
//! r          = HMAC-SHA-256(guard key, enc(input))
//! digest     = SHA-256("agenttrust.input.v1" ‖ r ‖ enc(input))
//! ```
//!
//! `jcs` is the RFC 8785 form; lengths are 8 bytes, big-endian. RFC 8785 writes numbers as IEEE doubles, in which 2^53 +
//! 1 and 2^53 are one number. So numbers that are too large for a double to tell integers apart are added behind it as
//! the program wrote them (an integer digit by digit). An approval for one of them never serves another.
//!
//! A reader of a digest cannot guess the input behind it, because `r` is unknown to them. An approver who is given `r`
//! and the input can check both, and learns nothing about any other input.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{AgentTrustError, Result};
use crate::hex;

const DOMAIN: &[u8] = b"agenttrust.input.v1";
const KEY_DOMAIN: &[u8] = b"agenttrust.key-id.v1";
/// The largest integer that a double can tell from its neighbours.
const EXACT: u64 = (1 << 53) - 1;

/// A digest and what opens it.
#[derive(Clone)]
pub struct Commitment {
    /// The digest, 64 hexadecimal digits. Safe to show to anyone.
    pub digest: String,
    /// The value `r`, 64 hexadecimal digits. Only the Guardian may see it, together with the input.
    pub opening: String,
}

impl std::fmt::Debug for Commitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commitment").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Commits to `input` under the guard's `key`.
///
/// # Errors
///
/// [`Validation`](AgentTrustError::Validation) when the input has no canonical form.
pub fn commit(key: &[u8; 32], input: &Value) -> Result<Commitment> {
    commit_canonical(key, input, &canonical(input)?)
}

/// Does the same as [`commit`], for an `input` whose canonical form is there already.
pub(super) fn commit_canonical(
    key: &[u8; 32],
    input: &Value,
    canonical: &str,
) -> Result<Commitment> {
    let encoded = encode(input, canonical);
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key)
        .map_err(|error| AgentTrustError::invalid(error.to_string()))?;
    mac.update(&encoded);
    let opening: [u8; 32] = mac.finalize().into_bytes().into();
    Ok(Commitment { digest: digest_of(&opening, &encoded), opening: hex::encode(&opening) })
}

/// Returns a name for the guard's `key`, 16 hexadecimal digits, which says nothing about it: two digests under
/// keys of different names are of different keys, whatever their inputs.
#[must_use]
pub fn key_id(key: &[u8; 32]) -> String {
    let digest = Sha256::new().chain_update(KEY_DOMAIN).chain_update(key).finalize();
    hex::encode(digest.get(..8).unwrap_or_default())
}

/// Returns whether `digest` commits to `input`, given the `opening` that came with it.
///
/// ```
/// use agenttrust::guard::digest::{commit, opens};
/// use serde_json::json;
///
/// let input = json!({ "path": "/tmp/report.txt" });
/// let commitment = commit(&[7; 32], &input)?;
/// assert!(opens(&commitment.digest, &commitment.opening, &input));
/// assert!(!opens(&commitment.digest, &commitment.opening, &json!({ "path": "/etc/passwd" })));
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[must_use]
pub fn opens(digest: &str, opening: &str, input: &Value) -> bool {
    let (Some(opening), Ok(canonical)) = (hex::decode(opening), canonical(input)) else {
        return false;
    };
    let encoded = encode(input, &canonical);
    subtle::ConstantTimeEq::ct_eq(digest.as_bytes(), digest_of(&opening, &encoded).as_bytes())
        .into()
}

fn digest_of(opening: &[u8; 32], encoded: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(opening)
        .chain_update(encoded)
        .finalize()
        .into();
    hex::encode(&digest)
}

/// Returns the RFC 8785 form of `input`.
pub(super) fn canonical(input: &Value) -> Result<String> {
    serde_json_canonicalizer::to_string(input).map_err(|error| {
        AgentTrustError::invalid(format!(
            "the input has no canonical JSON form, so no approval could be bound to it: {error}"
        ))
    })
}

fn encode(input: &Value, canonical: &str) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(canonical.len() + 8);
    push(&mut encoded, canonical.as_bytes());
    push_inexact_numbers(&mut encoded, input);
    encoded
}

fn push(encoded: &mut Vec<u8>, part: &[u8]) {
    encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
    encoded.extend_from_slice(part);
}

fn push_inexact_numbers(encoded: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            // Floats too: left out, two numbers that trade places would leave the same trace.
            let exact = match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(unsigned), _, _) => unsigned <= EXACT,
                (None, Some(signed), _) => signed.unsigned_abs() <= EXACT,
                (None, None, Some(float)) => float.abs() <= EXACT as f64,
                (None, None, None) => false,
            };
            if !exact {
                push(encoded, number.to_string().as_bytes());
            }
        }
        Value::Array(values) => {
            values.iter().for_each(|value| push_inexact_numbers(encoded, value))
        }
        // In the order of the keys, whatever order the map keeps.
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            entries.iter().for_each(|(_, value)| push_inexact_numbers(encoded, value));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn digest(input: Value) -> String {
        commit(&KEY, &input).unwrap().digest
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        assert_eq!(digest(json!({"a": 1, "b": 2})), digest(json!({"b": 2, "a": 1})));
        assert_ne!(digest(json!({"a": 1})), digest(json!({"a": "1"})));
        assert_ne!(digest(json!({"a": [1, 2]})), digest(json!({"a": [2, 1]})));
    }

    #[test]
    fn integers_that_a_double_cannot_tell_apart_have_different_digests() {
        assert_ne!(
            digest(json!({"id": 9007199254740993_u64})),
            digest(json!({"id": 9007199254740992_u64}))
        );
        assert_ne!(digest(json!({"id": u64::MAX})), digest(json!({"id": u64::MAX - 1})));
        assert_ne!(digest(json!({"id": i64::MIN})), digest(json!({"id": i64::MIN + 1})));
    }

    #[test]
    fn large_numbers_that_trade_places_have_different_digests() {
        let (float, integer) = (9007199254740992.0_f64, 9007199254740993_u64);
        assert_ne!(digest(json!([float, integer])), digest(json!([integer, float])));
        assert_ne!(
            digest(json!({"a": float, "b": integer})),
            digest(json!({"a": integer, "b": float}))
        );
    }

    #[test]
    fn another_key_gives_another_digest_so_that_nobody_can_guess_inputs() {
        let other = commit(&[8; 32], &json!({"a": 1})).unwrap();
        assert_ne!(digest(json!({"a": 1})), other.digest);
    }

    #[test]
    fn only_the_right_opening_and_input_open_a_digest() {
        let commitment = commit(&KEY, &json!({"a": 1})).unwrap();
        assert!(opens(&commitment.digest, &commitment.opening, &json!({"a": 1})));
        assert!(!opens(&commitment.digest, &commitment.opening, &json!({"a": 2})));
        assert!(!opens(&commitment.digest, &"0".repeat(64), &json!({"a": 1})));
        assert!(!opens(&commitment.digest, "é", &json!({"a": 1})));
    }
}
