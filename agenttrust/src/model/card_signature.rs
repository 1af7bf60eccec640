//! What is signed of a card, and whether a signature is good.
//!
//! Signed is the card without its signatures, with what says nothing left out as Protocol Buffers have it, in the form
//! of RFC 8785. Those who sign do not agree on what says nothing: the specification keeps an empty member that is
//! required, and its Python library does not. The two forms tell absent from empty differently and agree on everything
//! else, so a signature of either is good. What our Guardian signs is the same in both.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signature;
use serde_json::{Map, Value};

use super::agent_card::{AgentCard, AgentCardSignature};
use super::card_key::TrustedKey;

/// The largest number of signatures of a card that are looked at.
const SIGNATURES_MOST: usize = 16;
/// The longest header of a signature, in base64url.
const HEADER_MAX_BYTES: usize = 8 << 10;
/// The largest number of key ids that an error names.
const NAMED_MOST: usize = 5;

/// The reason why a card is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardSignatureError {
    /// A card without a signature.
    #[error("the card is not signed, so nothing in it is to be relied on")]
    Unsigned,
    /// None of its signatures is by a key that is trusted: the ids of the keys that they name.
    #[error(
        "the card is signed by no key that is trusted, but by {0:?}; trust such a key only where it came by a way of \
         its own"
    )]
    Untrusted(Vec<String>),
    /// A signature names a key that is trusted, or none, and does not go with the card.
    #[error(
        "no signature of the card goes with it: it was changed, or signed by another key; fetch it again"
    )]
    Wrong,
    /// A card with numbers or texts that have no form of RFC 8785.
    #[error("the card holds what has no canonical form, so no signature can go with it")]
    NotCanonical,
}

/// The header of a signature, as far as it matters.
struct Header {
    kid: Option<String>,
    /// Whether it says what is known here, and nothing that would have to be known.
    is_ours: bool,
}

impl AgentCard {
    /// Looks whether one of these keys signed the card as it is, and returns that key.
    ///
    /// Of a key that has an id, only signatures that name it are looked at. Where the card says that its keys are found
    /// (`jku`) is not asked: who wrote a card could say anything there.
    ///
    /// ```
    /// use agenttrust::{AgentCard, model::CardSignatureError};
    ///
    /// let card: AgentCard = serde_json::from_str(r#"{"name": "researcher"}"#)?;
    /// assert_eq!(card.verify_signature(&[]).unwrap_err(), CardSignatureError::Unsigned);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CardSignatureError`] where no signature is good.
    pub fn verify_signature<'k>(
        &self,
        keys: &'k [TrustedKey],
    ) -> Result<&'k TrustedKey, CardSignatureError> {
        if self.signatures.is_empty() {
            return Err(CardSignatureError::Unsigned);
        }
        let payloads = self.payloads().ok_or(CardSignatureError::NotCanonical)?;
        let mut untrusted = Vec::new();
        let mut is_wrong = false;
        for signature in self.signatures.iter().take(SIGNATURES_MOST) {
            let Some(header) = read_header(&signature.protected) else {
                is_wrong = true;
                continue;
            };
            let mut known = keys
                .iter()
                .filter(|key| key.kid().is_none_or(|kid| Some(kid) == header.kid.as_deref()));
            let mut is_known = false;
            let good = known.find(|key| {
                is_known = true;
                header.is_ours && payloads.iter().any(|payload| is_good(key, signature, payload))
            });
            if let Some(key) = good {
                return Ok(key);
            }
            is_wrong |= is_known;
            if !is_known && untrusted.len() < NAMED_MOST {
                untrusted.push(header.kid.unwrap_or_default());
            }
        }
        Err(if is_wrong {
            CardSignatureError::Wrong
        } else {
            CardSignatureError::Untrusted(untrusted)
        })
    }

    /// Returns what is signed of the card, as the specification has it; `None` where it has no form of RFC 8785.
    #[doc(hidden)]
    #[must_use]
    pub fn signed_payload(&self) -> Option<Vec<u8>> {
        canonical(&self.unsigned()?)
    }

    /// Returns all that may have been signed of it.
    fn payloads(&self) -> Option<Vec<Vec<u8>>> {
        let unsigned = self.unsigned()?;
        let mut payloads = vec![canonical(&unsigned)?];
        let bare = canonical(&without_empty(unsigned).unwrap_or(Value::Object(Map::new())))?;
        if !payloads.contains(&bare) {
            payloads.push(bare);
        }
        Some(payloads)
    }

    /// Returns the card as it is written, without its signatures and without what says nothing.
    fn unsigned(&self) -> Option<Value> {
        let mut card = serde_json::to_value(self).ok()?;
        let members = card.as_object_mut()?;
        members.remove("signatures");
        // These are kept as they came: what says nothing in them is still there.
        for name in ["securitySchemes", "securityRequirements"] {
            if let Some(member) = members.get_mut(name) {
                leave_out_defaults(member);
            }
        }
        Some(card)
    }
}

fn canonical(value: &Value) -> Option<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).ok()
}

/// Leaves out members with the values that Protocol Buffers take for granted. An object is there though it is empty.
fn leave_out_defaults(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(leave_out_defaults);
            members.retain(|_, member| match member {
                Value::Null | Value::Bool(false) => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                _ => true,
            });
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_defaults),
        _ => {}
    }
}

/// Returns the value without anything in it that is empty; `None` where nothing is left.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let left =
                members.into_iter().filter_map(|(name, it)| Some((name, without_empty(it)?)));
            let left: Map<String, Value> = left.collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        other => Some(other),
    }
}

fn read_header(protected: &str) -> Option<Header> {
    if protected.len() > HEADER_MAX_BYTES {
        return None;
    }
    let header: Map<String, Value> =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).ok()?).ok()?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let is_ed25519 = matches!(text("alg"), Some("EdDSA" | "Ed25519"));
    // What is critical has to be known, and nothing of it is.
    let is_plain = !header.contains_key("crit") && !header.contains_key("b64");
    // What a key signed for another use is none: a token of the same key, for one.
    let is_for_cards = header.get("typ").is_none_or(|typ| {
        let typ = typ.as_str().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        typ.is_some_and(|typ| {
            ["jose", "jose+json"].iter().any(|known| typ.eq_ignore_ascii_case(known))
        })
    });
    Some(Header {
        kid: text("kid").map(str::to_owned),
        is_ours: is_ed25519 && is_plain && is_for_cards,
    })
}

fn is_good(key: &TrustedKey, signature: &AgentCardSignature, payload: &[u8]) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(&signature.signature) else { return false };
    let Ok(bytes) = Signature::from_slice(&bytes) else { return false };
    let signed = signing_input(&signature.protected, payload);
    key.key().verify_strict(signed.as_bytes(), &bytes).is_ok()
}

/// Returns what is signed, of a header in base64url and a payload (RFC 7515).
fn signing_input(protected: &str, payload: &[u8]) -> String {
    format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    use super::*;
    use crate::model::CardKey;

    fn key(first: u8) -> SigningKey {
        SigningKey::from_bytes(&[first; 32])
    }

    fn trusted(first: u8, kid: Option<&str>) -> TrustedKey {
        let key = TrustedKey::from_jwk(&CardKey::ed25519(&key(first).verifying_key().to_bytes()))
            .unwrap();
        match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        }
    }

    fn signature(first: u8, header: &Value, payload: &[u8]) -> AgentCardSignature {
        let protected = URL_SAFE_NO_PAD.encode(header.to_string());
        let signature = key(first).sign(signing_input(&protected, payload).as_bytes());
        AgentCardSignature::new(protected, URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn ours(kid: &str) -> Value {
        json!({ "alg": "EdDSA", "kid": kid, "typ": "JOSE" })
    }

    fn card() -> AgentCard {
        serde_json::from_value(json!({
            "name": "Über\u{2028}agent \u{1f980}",
            "description": "",
            "version": "1.0.0",
            "supportedInterfaces": [{ "url": "https://a.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "" }],
            "capabilities": { "streaming": false, "extensions": [{ "uri": "u", "required": false, "params": { "b": 92.0, "a": "" } }] },
            "securitySchemes": { "key": { "apiKeySecurityScheme": { "name": "X-API-Key", "location": "header", "description": "" } } },
            "securityRequirements": [{ "schemes": { "key": { "list": [] } } }],
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": [],
            "skills": [],
            "documentationUrl": "",
        }))
        .unwrap()
    }

    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        // Its own example, in which the members that it does not show are left out.
        let mut fragment: Value = serde_json::from_slice(
            &serde_json::from_value::<AgentCard>(json!({
                "name": "Example Agent",
                "description": "",
                "capabilities": { "streaming": false, "pushNotifications": false, "extensions": [] },
                "skills": [],
            }))
            .unwrap()
            .signed_payload()
            .unwrap(),
        )
        .unwrap();
        for name in ["version", "supportedInterfaces", "defaultInputModes", "defaultOutputModes"] {
            assert!(fragment.as_object_mut().unwrap().remove(name).is_some(), "{name}");
        }
        assert_eq!(
            serde_json_canonicalizer::to_string(&fragment).unwrap(),
            r#"{"capabilities":{"pushNotifications":false,"streaming":false},"description":"","name":"Example Agent","skills":[]}"#
        );
        assert_eq!(
            String::from_utf8(card().signed_payload().unwrap()).unwrap(),
            concat!(
                r#"{"capabilities":{"extensions":[{"params":{"a":"","b":92},"uri":"u"}],"streaming":false},"#,
                r#""defaultInputModes":["text/plain"],"defaultOutputModes":[],"description":"","documentationUrl":"","#,
                "\"name\":\"Über\u{2028}agent \u{1f980}\",",
                r#""securityRequirements":[{"schemes":{"key":{}}}],"#,
                r#""securitySchemes":{"key":{"apiKeySecurityScheme":{"location":"header","name":"X-API-Key"}}},"#,
                r#""skills":[],"supportedInterfaces":[{"protocolBinding":"JSONRPC","protocolVersion":"1.0","#,
                r#""url":"https://a.example"}],"version":"1.0.0"}"#,
            )
        );
    }

    #[test]
    fn signature_is_good_in_either_form_and_for_no_other_card() {
        let payloads = card().payloads().unwrap();
        assert_eq!(payloads.len(), 2);
        for payload in &payloads {
            let mut card = card();
            card.signatures = vec![signature(1, &ours("one"), payload)];
            let keys = [trusted(2, None), trusted(1, Some("one"))];
            assert_eq!(card.verify_signature(&keys).unwrap().kid(), Some("one"));
            // As one that came over the wire.
            let read: AgentCard =
                serde_json::from_str(&serde_json::to_string(&card).unwrap()).unwrap();
            assert!(read.verify_signature(&keys).is_ok());
            for changed in [
                AgentCard { name: "other".to_owned(), ..card.clone() },
                AgentCard { icon_url: Some("https://x".to_owned()), ..card.clone() },
                AgentCard {
                    other: json!({ "more": 1 }).as_object().cloned().unwrap(),
                    ..card.clone()
                },
            ] {
                assert_eq!(changed.verify_signature(&keys), Err(CardSignatureError::Wrong));
            }
        }
    }

    #[test]
    fn only_a_key_that_is_trusted_under_its_own_id_is_believed() {
        let mut card = card();
        let payload = card.signed_payload().unwrap();
        card.signatures = vec![signature(1, &ours("one"), &payload)];
        let untrusted = Err(CardSignatureError::Untrusted(vec!["one".to_owned()]));
        assert_eq!(card.verify_signature(&[]), untrusted);
        assert_eq!(card.verify_signature(&[trusted(1, Some("two"))]), untrusted);
        assert_eq!(
            card.verify_signature(&[trusted(2, Some("one"))]),
            Err(CardSignatureError::Wrong)
        );
        assert!(card.verify_signature(&[trusted(1, None)]).is_ok());
        // A second signature, by a key that is trusted, is enough.
        card.signatures.push(signature(2, &ours("two"), &payload));
        assert!(card.verify_signature(&[trusted(2, Some("two"))]).is_ok());
    }

    #[test]
    fn header_that_asks_for_more_than_is_known_is_not_believed() {
        let payload = card().signed_payload().unwrap();
        for header in [
            json!({ "alg": "none", "kid": "one" }),
            json!({ "alg": "HS256", "kid": "one" }),
            json!({ "kid": "one" }),
            json!({ "alg": "EdDSA", "kid": "one", "crit": ["exp"], "exp": 1 }),
            json!({ "alg": "EdDSA", "kid": "one", "b64": false }),
            json!([]),
        ] {
            let mut card = card();
            card.signatures = vec![signature(1, &header, &payload)];
            assert_eq!(
                card.verify_signature(&[trusted(1, Some("one"))]),
                Err(CardSignatureError::Wrong),
                "{header}"
            );
        }
        for (protected, signed) in
            [("", ""), ("e30", "AA"), ("!", "!"), ("eyJhbGciOiJFZERTQSJ9", "")]
        {
            let mut card = card();
            card.signatures = vec![AgentCardSignature::new(protected, signed)];
            assert_eq!(card.verify_signature(&[trusted(1, None)]), Err(CardSignatureError::Wrong));
        }
    }
}
