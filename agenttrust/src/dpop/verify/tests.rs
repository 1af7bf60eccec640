//! What a proof has to be, reason by reason.

use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::dpop::{Bound, mint};

const URL: &str = "https://gate.example/api/v1/agenttrust/check";
const TOKEN: &str = "eyJ.token";

fn key(first: u8) -> SigningKey {
    SigningKey::from_bytes(&[first; 32])
}

fn urls() -> Vec<String> {
    vec!["https://other.example/x".to_owned(), URL.to_owned()]
}

fn verify(proof: &str) -> Result<Proof, ProofRefusal> {
    let urls = urls();
    let thumbprint = thumbprint(&key(1).verifying_key());
    verify_proof(
        proof,
        &ExpectedProof {
            thumbprint: &thumbprint,
            method: "POST",
            urls: &urls,
            access_token: TOKEN,
            now: Timestamp::now(),
        },
    )
}

fn header() -> Value {
    let jwk = serde_json::to_value(Jwk::of(&key(1).verifying_key())).unwrap();
    json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk })
}

fn claims() -> Value {
    json!({
        "htm": "POST",
        "htu": URL,
        "iat": Timestamp::now().unix_seconds(),
        "jti": "one",
        "ath": token_hash(TOKEN),
    })
}

fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

fn signed(by: u8, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key(by).sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn of_header(header: &Value) -> Result<Proof, ProofRefusal> {
    verify(&signed(1, &header.to_string(), &claims().to_string()))
}

fn of_claims(claims: &Value) -> Result<Proof, ProofRefusal> {
    verify(&signed(1, &header().to_string(), &claims.to_string()))
}

#[test]
fn proof_that_is_minted_is_good_for_its_request_and_for_no_other() {
    let bound = Bound {
        method: "POST",
        url: "https://gate.example/api/v1/agenttrust/check?x=1#y",
        access_token: TOKEN,
        nonce: Some("n"),
    };
    let proof = mint(&key(1).verifying_key(), &bound, |message| {
        Ok(key(1).sign(message).to_bytes().to_vec())
    });
    let proof = proof.unwrap();
    let good = verify(&proof).unwrap();
    assert_eq!(good.nonce.as_deref(), Some("n"));
    assert!(!good.jti.is_empty());

    let (thumbprint, others) = (thumbprint(&key(1).verifying_key()), [URL.replace("check", "x")]);
    let urls = urls();
    let expected = ExpectedProof {
        thumbprint: &thumbprint,
        method: "POST",
        urls: &urls,
        access_token: TOKEN,
        now: Timestamp::now(),
    };
    assert_eq!(verify_proof(&proof, &expected), Ok(good));
    for (other, why) in [
        (ExpectedProof { method: "post", ..expected }, ProofRefusal::Method),
        (ExpectedProof { method: "GET", ..expected }, ProofRefusal::Method),
        (ExpectedProof { urls: &others, ..expected }, ProofRefusal::Url),
        (ExpectedProof { urls: &[], ..expected }, ProofRefusal::Url),
        (ExpectedProof { access_token: "eyJ.other", ..expected }, ProofRefusal::Token),
        (ExpectedProof { thumbprint: "", ..expected }, ProofRefusal::OtherKey),
    ] {
        assert_eq!(verify_proof(&proof, &other), Err(why), "{other:?}");
    }
}

#[test]
fn header_that_could_mean_something_else_is_refused() {
    assert!(of_header(&header()).is_ok());
    // What is not known and not critical says nothing.
    assert!(of_header(&with(header(), "x", 1)).is_ok());
    for typ in ["JWT", "DPOP+JWT", "application/dpop+jwt", ""] {
        assert_eq!(of_header(&with(header(), "typ", typ)), Err(ProofRefusal::Type), "{typ}");
    }
    for alg in ["none", "Ed25519", "eddsa", "ES256", "HS256", "RS256", ""] {
        assert_eq!(of_header(&with(header(), "alg", alg)), Err(ProofRefusal::Algorithm), "{alg}");
    }
    for name in FORBIDDEN {
        for value in [json!(null), json!([]), json!("x")] {
            let header = with(header(), name, value);
            assert_eq!(of_header(&header), Err(ProofRefusal::Extra), "{header}");
        }
    }
    for name in ["typ", "alg", "jwk"] {
        assert_eq!(of_header(&without(header(), name)), Err(ProofRefusal::Header), "{name}");
        let null = with(header(), name, Value::Null);
        assert!(of_header(&null).is_err(), "{name}");
    }
    let mut private = header();
    private["jwk"]["d"] = json!(URL_SAFE_NO_PAD.encode([1; 32]));
    for jwk in [private["jwk"].clone(), json!([]), json!(["OKP", "Ed25519", "AA"]), json!("x")] {
        assert_eq!(of_header(&with(header(), "jwk", jwk)), Err(ProofRefusal::Key));
    }
}

#[test]
fn member_that_is_there_twice_is_refused() {
    let header = header().to_string();
    let claims = claims().to_string();
    let doubled = |object: &str, member: &str| format!("{{{member},{}", &object[1..]);
    for member in [r#""alg":"EdDSA""#, r#""x":1,"x":2"#, r#""x":{"a":1,"\u0061":2}"#] {
        let proof = signed(1, &doubled(&header, member), &claims);
        assert_eq!(verify(&proof), Err(ProofRefusal::Header), "{member}");
    }
    for member in [r#""htm":"POST""#, r#""\u0068tm":"GET""#, r#""y":[{"a":1,"a":1}]"#] {
        let proof = signed(1, &header, &doubled(&claims, member));
        assert_eq!(verify(&proof), Err(ProofRefusal::Claims), "{member}");
    }
    let twice = header.replace(r#""kty""#, r#""kty":"OKP","kty""#);
    assert_eq!(verify(&signed(1, &twice, &claims)), Err(ProofRefusal::Header));
}

#[test]
fn claim_that_is_wrong_is_refused_for_its_own_reason() {
    let now = Timestamp::now().unix_seconds();
    for (claims, why) in [
        (with(claims(), "htu", "https://gate.example/"), ProofRefusal::Url),
        (with(claims(), "htu", "/api/v1/agenttrust/check"), ProofRefusal::Url),
        (with(claims(), "htu", 1), ProofRefusal::Claims),
        (with(claims(), "ath", ""), ProofRefusal::Token),
        (without(claims(), "ath"), ProofRefusal::Claims),
        (without(claims(), "jti"), ProofRefusal::Claims),
        (without(claims(), "iat"), ProofRefusal::Claims),
        (with(claims(), "iat", now.to_string()), ProofRefusal::Claims),
        (with(claims(), "iat", 1e300), ProofRefusal::Claims),
        (with(claims(), "iat", now - 62), ProofRefusal::Stale),
        (with(claims(), "iat", now + 63), ProofRefusal::Early),
        (with(claims(), "iat", i64::MIN), ProofRefusal::Stale),
        (with(claims(), "iat", i64::MAX), ProofRefusal::Early),
        (with(claims(), "jti", ""), ProofRefusal::Id),
        (with(claims(), "jti", "é".repeat(201)), ProofRefusal::Id),
        (with(claims(), "jti", 1), ProofRefusal::Claims),
        (with(claims(), "nonce", 1), ProofRefusal::Claims),
        (with(claims(), "nonce", Value::Null), ProofRefusal::Claims),
        (json!([]), ProofRefusal::Claims),
        (json!(["POST", URL, now, "one", token_hash(TOKEN), "n"]), ProofRefusal::Claims),
    ] {
        assert_eq!(of_claims(&claims), Err(why), "{claims}");
    }
    for claims in [
        with(claims(), "iat", now - 58),
        with(claims(), "iat", now + 58),
        with(claims(), "iat", now as f64 + 0.5),
        with(claims(), "jti", "é".repeat(200)),
        with(claims(), "exp", "what it likes"),
    ] {
        assert!(of_claims(&claims).is_ok(), "{claims}");
    }
}

#[test]
fn what_is_not_signed_as_one_compact_token_is_refused() {
    let good = signed(1, &header().to_string(), &claims().to_string());
    assert!(verify(&good).is_ok());
    for (proof, why) in [
        (String::new(), ProofRefusal::NotCompact),
        ("..".to_owned(), ProofRefusal::Header),
        (format!("{good}."), ProofRefusal::NotCompact),
        (format!("{good}.{good}"), ProofRefusal::NotCompact),
        (format!("{good},{good}"), ProofRefusal::NotCompact),
        (format!("{good}="), ProofRefusal::NotCompact),
        (format!(" {good}"), ProofRefusal::NotCompact),
        (good[..good.len() - 2].to_owned(), ProofRefusal::Signature),
        (good[..good.rfind('.').unwrap() + 1].to_owned(), ProofRefusal::Signature),
        (good[..good.rfind('.').unwrap()].to_owned(), ProofRefusal::NotCompact),
        ("a".repeat(PROOF_MAX_BYTES + 1), ProofRefusal::TooLong),
        // Signed by another key than it names, and by another one that it does name.
        (signed(2, &header().to_string(), &claims().to_string()), ProofRefusal::Signature),
        (
            signed(
                2,
                &with(
                    header(),
                    "jwk",
                    serde_json::to_value(Jwk::of(&key(2).verifying_key())).unwrap(),
                )
                .to_string(),
                &claims().to_string(),
            ),
            ProofRefusal::OtherKey,
        ),
    ] {
        assert_eq!(verify(&proof), Err(why), "{proof}");
    }
}
