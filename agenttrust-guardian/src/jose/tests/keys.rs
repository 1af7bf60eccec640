//! Lists of keys as issuers publish them, and as they should not.

use serde_json::{Value, json};

use super::signing::{Signer, encode, known, with};
use crate::jose::KeySet;
use crate::jose::key_set::{JWKS_MAX_BYTES, KeySetError};
use crate::jose::refusal::JsonFault;

fn parse(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn rsa(more: Value) -> Value {
    Signer::new("rsa").jwk("a", more)
}

fn ec(more: Value) -> Value {
    Signer::new("p256").jwk("a", more)
}

fn ed(more: Value) -> Value {
    Signer::new("ed25519").jwk("a", more)
}

/// Returns why each key is left out.
fn unfit() -> Vec<(Value, &'static str)> {
    let long = encode(&[0xff; 1_025]);
    let zero_first = encode(&[&[0][..], &[0xff; 256]].concat());
    let private = "only a secret key has";
    let (of_use, of_ops) = ("another use (use)", "other operations (key_ops)");
    let (exponent, modulus) = ("an exponent (e)", "a modulus (n)");
    let (coordinate, point) = ("a coordinate (x, y)", "no point (x) of Ed25519");
    vec![
        (json!("key"), "no JSON object"),
        (json!(null), "no JSON object"),
        (json!({}), r#"no text "kty""#),
        (json!({ "kty": 1 }), r#"no text "kty""#),
        (json!({ "kty": "oct", "k": "AAAA" }), private),
        (json!({ "kty": "rsa" }), "no kind (kty)"),
        (json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }), "no kind (kty)"),
        (rsa(json!({ "d": "AA" })), private),
        (rsa(json!({ "p": "AA" })), private),
        (rsa(json!({ "oth": [] })), private),
        (ec(json!({ "d": "" })), private),
        (ed(json!({ "d": false })), private),
        (rsa(json!({ "kid": "" })), "a kid that is no text"),
        (rsa(json!({ "kid": 7 })), "a kid that is no text"),
        (rsa(json!({ "kid": "x".repeat(257) })), "a kid that is no text"),
        (rsa(json!({ "alg": "ES256" })), "another algorithm (alg) than RS256"),
        (rsa(json!({ "alg": "RS384" })), "another algorithm (alg) than RS256"),
        (rsa(json!({ "alg": "HS256" })), "another algorithm (alg) than RS256"),
        (ec(json!({ "alg": "RS256" })), "another algorithm (alg) than ES256"),
        (ed(json!({ "alg": ["EdDSA"] })), "another algorithm (alg) than EdDSA"),
        (rsa(json!({ "use": "enc" })), of_use),
        (rsa(json!({ "use": "SIG" })), of_use),
        (rsa(json!({ "use": ["sig"] })), of_use),
        (rsa(json!({ "key_ops": [] })), of_ops),
        (rsa(json!({ "key_ops": ["sign", "encrypt"] })), of_ops),
        (rsa(json!({ "key_ops": "verify" })), of_ops),
        (rsa(json!({ "e": "AQ" })), exponent),
        (rsa(json!({ "e": "Ag" })), exponent),
        (rsa(json!({ "e": "AAEAAQ" })), exponent),
        (rsa(json!({ "e": "AQAAAAE" })), exponent),
        (rsa(json!({ "e": "" })), exponent),
        (rsa(json!({ "n": "" })), modulus),
        (rsa(json!({ "n": zero_first })), modulus),
        (rsa(json!({ "n": encode(&[0x7f; 256]) })), "has 2047 bits"),
        (rsa(json!({ "n": long })), "has 8200 bits"),
        (rsa(json!({ "n": "AQAB=" })), r#"a "n" that is no base64url"#),
        (rsa(json!({ "n": 5 })), r#"no text "n""#),
        (ec(json!({ "crv": "P-384" })), "another curve (crv) than P-256"),
        (ec(json!({ "crv": "secp256k1" })), "another curve (crv) than P-256"),
        (ec(json!({ "x": "AA" })), coordinate),
        (ec(json!({ "y": encode(&[1; 33]) })), coordinate),
        (ec(json!({ "y": null })), r#"no text "y""#),
        (ec(json!({ "y": encode(&[1; 32]) })), "no point (x, y) of P-256"),
        (ec(json!({ "x": encode(&[0; 32]), "y": encode(&[0; 32]) })), "no point (x, y) of P-256"),
        (ed(json!({ "crv": "X25519" })), "another curve (crv) than Ed25519"),
        (ed(json!({ "crv": "Ed448" })), "another curve (crv) than Ed25519"),
        (ed(json!({ "x": "AA" })), point),
        (ed(json!({ "x": encode(&[0; 32]) })), point),
        (ed(json!({ "x": encode(&[2; 32]) })), point),
    ]
}

#[test]
fn key_that_may_not_be_used_is_left_out_and_the_others_are_kept() {
    for (jwk, reason) in unfit() {
        let set = parse(&[jwk.clone(), Signer::new("ed25519").jwk("good", json!({}))]);
        assert!(!set.is_empty());
        let [why] = set.unusable() else { panic!("{jwk:.300}: {:?}", set.unusable()) };
        assert!(why.starts_with("keys[0] ") && why.contains(reason), "{jwk:.300}: {why}");
    }
}

#[test]
fn key_with_what_issuers_write_beside_is_used() {
    let more = json!({
        "use": "sig", "alg": "RS256", "key_ops": ["verify"], "x5t": "abc", "x5c": ["MIIB"], "issuer": "x",
    });
    for jwk in [
        rsa(more),
        ec(json!({ "alg": "ES256", "ext": true })),
        ed(json!({ "alg": "EdDSA", "key_ops": ["verify", "sign"] })),
        with(ed(json!({})), json!({ "kid": null })),
        rsa(json!({ "e": "Aw" })),
        rsa(json!({ "n": encode(&[0xff; 1_024]) })),
    ] {
        let set = parse(std::slice::from_ref(&jwk));
        assert!(!set.is_empty() && set.unusable().is_empty(), "{jwk:.300}: {set:?}");
    }
    assert!(parse(&[]).is_empty());
}

#[test]
fn list_that_cannot_be_read_says_what_is_wrong_with_it() {
    let too_long = vec![b' '; JWKS_MAX_BYTES + 1];
    let many: Vec<Value> = vec![known("rsa")["public"].clone(); 101];
    let many = json!({ "keys": many }).to_string();
    let no_list = KeySetError::NoList;
    let json = KeySetError::Json;
    for (what, text, error) in [
        ("too long", too_long.as_slice(), KeySetError::TooLong(JWKS_MAX_BYTES + 1)),
        ("too many", many.as_bytes(), KeySetError::TooMany(101)),
        ("nothing", b"", json(JsonFault::Broken)),
        ("HTML", b"<html></html>", json(JsonFault::Broken)),
        ("a list", b"[]", json(JsonFault::NoObject)),
        ("no UTF-8", b"{\"keys\":\"\xff\"}", json(JsonFault::NotUtf8)),
        ("keys twice", br#"{"keys":[],"keys":[]}"#, json(JsonFault::Duplicate)),
        ("a member twice", br#"{"keys":[{"kty":"oct","kty":"RSA"}]}"#, json(JsonFault::Duplicate)),
        ("no keys", b"{}", no_list.clone()),
        ("keys are an object", br#"{"keys":{}}"#, no_list.clone()),
        ("keys are null", br#"{"keys":null}"#, no_list),
    ] {
        assert_eq!(KeySet::parse(text).unwrap_err(), error, "{what}");
    }
    let most = json!({ "keys": vec![known("rsa")["public"].clone(); 100] }).to_string();
    assert!(KeySet::parse(most.as_bytes()).is_ok());
}
