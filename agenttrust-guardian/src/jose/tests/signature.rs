//! Signatures that are not the issuer's, or of a key that may not sign.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::signing::{Signer, decode, encode, good, known, published, signed, verify_as, with};
use super::{Forged, assert_refused};
use crate::jose::refusal::{Excerpt, Refusal};
use crate::jose::{KeySet, Typ};

/// The order of Ed25519's group, in little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// The order of P-256's group, in big endian.
const ORDER_P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn ec() -> Value {
    json!({ "alg": "ES256", "kid": "ec" })
}

fn rs() -> Value {
    json!({ "alg": "RS256", "kid": "rsa" })
}

/// Returns `token` with another signature.
fn signed_by(token: &str, signature: &[u8]) -> String {
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", encode(signature))
}

fn signature_of(token: &str) -> Vec<u8> {
    decode(token.rsplit_once('.').unwrap().1)
}

/// Returns the same signature with the order of the group added to its second half: the same to who does not look.
fn second_signature(token: &str) -> Vec<u8> {
    let mut signature = signature_of(token);
    let mut carry = 0_u16;
    for (byte, more) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    signature
}

/// Returns a signature of two numbers in DER, as other formats than JWS have it.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number: Vec<u8> = [&[0][..], number].concat();
        [&[2, u8::try_from(number.len()).unwrap()][..], &number].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()][..], &both].concat()
}

pub(super) fn forged() -> Forged {
    let mut all = by_others();
    all.extend(by_form());
    all.extend(by_unfit_keys());
    all
}

fn by_others() -> Forged {
    let by = |what, name: &str, header: &Value| {
        (what, Signer::new(name).token(header, &good()), Refusal::Signature)
    };
    let good_one = signed(json!({}), json!({}));
    let parts: Vec<&str> = good_one.split('.').collect();
    let other_claims = with(good(), json!({ "sub": "root" })).to_string();
    let changed = format!("{}.{}.{}", parts[0], encode(other_claims.as_bytes()), parts[2]);
    let other_header = encode(br#"{"alg":"EdDSA","kid":"ed"}"#);
    let of_other = signed(json!({}), json!({ "sub": "another" }));
    vec![
        by("another RSA key", "other_rsa", &rs()),
        by("another key on P-256", "other_p256", &ec()),
        by("another key on Ed25519", "other_ed25519", &json!({ "alg": "EdDSA", "kid": "ed" })),
        ("other claims", changed, Refusal::Signature),
        ("another header", format!("{other_header}.{}.{}", parts[1], parts[2]), Refusal::Signature),
        (
            "signature of another token",
            signed_by(&good_one, &signature_of(&of_other)),
            Refusal::Signature,
        ),
        (
            "RSA by another padding",
            Signer::new("rsa").by(Algorithm::PS256).token(&rs(), &good()),
            Refusal::Signature,
        ),
        (
            "RSA by another digest",
            Signer::new("rsa").by(Algorithm::RS512).token(&rs(), &good()),
            Refusal::Signature,
        ),
    ]
}

fn by_form() -> Forged {
    let es = Signer::new("p256").token(&ec(), &good());
    let rsa = Signer::new("rsa").token(&rs(), &good());
    let ed = signed(json!({}), json!({}));
    let (es_own, rsa_own) = (signature_of(&es), signature_of(&rsa));
    let es_der = der(&es_own);
    let der_length = es_der.len();
    let of_order = [ORDER_P256, ORDER_P256].concat();
    let half_order = [&ORDER_P256[..], &es_own[32..]].concat();
    let modulus = decode(known("rsa")["public"]["n"].as_str().unwrap());
    vec![
        ("ES256 of zeros", signed_by(&es, &[0; 64]), Refusal::Signature),
        ("ES256 of the order", signed_by(&es, &of_order), Refusal::Signature),
        ("ES256 with r the order", signed_by(&es, &half_order), Refusal::Signature),
        ("ES256 in DER", signed_by(&es, &es_der), Refusal::SignatureLength(der_length, 64)),
        ("ES256 cut", signed_by(&es, &es_own[..63]), Refusal::SignatureLength(63, 64)),
        ("ES256 doubled", signed_by(&es, &es_own.repeat(2)), Refusal::SignatureLength(128, 64)),
        ("EdDSA of zeros", signed_by(&ed, &[0; 64]), Refusal::Signature),
        ("EdDSA, the other one", signed_by(&ed, &second_signature(&ed)), Refusal::Signature),
        ("EdDSA of a byte", signed_by(&ed, &[1]), Refusal::SignatureLength(1, 64)),
        ("RS256 of zeros", signed_by(&rsa, &[0; 256]), Refusal::Signature),
        ("RS256 of the modulus", signed_by(&rsa, &modulus), Refusal::Signature),
        ("RS256 cut", signed_by(&rsa, &rsa_own[..255]), Refusal::Signature),
        (
            "RS256 with a zero before",
            signed_by(&rsa, &[&[0][..], &rsa_own].concat()),
            Refusal::Signature,
        ),
    ]
}

/// Returns keys that the issuer publishes, and that may not be used: the tokens are truly signed by them.
fn unfit_keys() -> Vec<(&'static str, Value, String)> {
    let other = |name: &str| Signer::new(name);
    let token = |name: &str, algorithm: &str, kid: &str| {
        other(name).token(&json!({ "alg": algorithm, "kid": kid }), &good())
    };
    let by_known = |name: &str, kid: &str| {
        let known = known(name);
        let jwk = with(known["public"].clone(), json!({ "kid": kid }));
        (jwk, known["token"].as_str().unwrap().to_owned())
    };
    let (short, by_short) = by_known("short_rsa", "short");
    let (p384, by_p384) = by_known("p384", "p384");
    // The point from which nothing leads away: this signature fits whatever is signed.
    let mut identity = [0; 64];
    identity[0] = 1;
    let weak =
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "weak", "x": encode(&identity[..32]) });
    let by_weak = signed_by(&signed(json!({ "kid": "weak" }), json!({})), &identity);
    vec![
        ("RSA of 1024 bits", short, by_short),
        ("another curve", p384, by_p384),
        ("point of small order", weak, by_weak),
        (
            "for encryption",
            other("other_rsa").jwk("enc", json!({ "use": "enc" })),
            token("other_rsa", "RS256", "enc"),
        ),
        (
            "for signing alone",
            other("other_p256").jwk("ops", json!({ "key_ops": ["sign"] })),
            token("other_p256", "ES256", "ops"),
        ),
        (
            "for another algorithm",
            other("other_rsa").jwk("ps", json!({ "alg": "PS256" })),
            token("other_rsa", "RS256", "ps"),
        ),
        (
            "with its private half",
            other("other_ed25519").jwk("open", json!({ "d": encode(&[7; 32]) })),
            token("other_ed25519", "EdDSA", "open"),
        ),
        (
            "with an exponent of 1",
            with(other("other_rsa").jwk("one", json!({})), json!({ "e": "AQ" })),
            token("other_rsa", "RS256", "one"),
        ),
    ]
}

fn by_unfit_keys() -> Forged {
    let named = |(what, jwk, token): (&'static str, Value, String)| {
        (what, token, Refusal::UnknownKey(Excerpt::new(jwk["kid"].as_str().unwrap())))
    };
    unfit_keys().into_iter().map(named).collect()
}

#[test]
fn signature_that_is_not_the_issuers_is_refused_for_its_own_reason() {
    assert_refused(forged());
}

#[test]
fn key_that_may_not_sign_is_left_out_with_a_reason_and_what_it_signed_is_refused() {
    for (what, jwk, token) in unfit_keys() {
        let set = published(std::slice::from_ref(&jwk));
        let [why] = set.unusable() else { panic!("{what}: {:?}", set.unusable()) };
        assert!(why.starts_with("keys[3] "), "{what}: {why}");
        let refused = verify_as(&set, Typ::External, &token).unwrap_err();
        let unknown = Refusal::UnknownKey(Excerpt::new(jwk["kid"].as_str().unwrap()));
        assert_eq!(refused, unknown, "{what}");
    }
}

#[test]
fn two_keys_of_one_name_are_no_key() {
    let twice = |other: &str| {
        let keys =
            [Signer::new("ed25519").jwk("ed", json!({})), Signer::new(other).jwk("ed", json!({}))];
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    };
    let token = signed(json!({}), json!({}));
    let refused = verify_as(&twice("other_ed25519"), Typ::External, &token).unwrap_err();
    assert_eq!(refused, Refusal::KeyAmbiguous { kid: Excerpt::new("ed"), count: 2 });
    // The same key twice is one, and one for another algorithm is told apart.
    assert!(verify_as(&twice("ed25519"), Typ::External, &token).is_ok());
    assert!(verify_as(&twice("p256"), Typ::External, &token).is_ok());
}
