//! Claims that are missing, of the wrong type, or not what they must be. Every token here is truly signed.

use serde_json::{Value, json};

use super::signing::{
    AUDIENCE, ISSUER, NOW, Signer, at, good, header, published, signed, verify, verify_as,
};
use super::{Forged, assert_refused};
use crate::jose::Typ;
use crate::jose::refusal::{Excerpt, Refusal};

/// Returns a good token whose claims say this, `null` and all.
fn says(name: &str, value: &Value) -> String {
    let mut claims = good();
    claims[name] = value.clone();
    Signer::new("ed25519").token(&header(), &claims)
}

fn without(name: &str) -> String {
    signed(json!({}), json!({ name: null }))
}

fn wrong(name: &'static str, wanted: &'static str, found: &'static str) -> Refusal {
    Refusal::ClaimType { name, wanted, found }
}

pub(super) fn forged() -> Forged {
    let mut all = missing();
    all.extend(types());
    all.extend(issuers());
    all.extend(audiences());
    all.extend(times());
    all
}

fn missing() -> Forged {
    vec![
        ("no issuer", without("iss"), Refusal::MissingClaim("iss")),
        ("no audience", without("aud"), Refusal::MissingClaim("aud")),
        ("no subject", without("sub"), Refusal::MissingClaim("sub")),
        ("no end", without("exp"), Refusal::MissingClaim("exp")),
        ("no claims at all", says_nothing(), Refusal::MissingClaim("iss")),
        ("bound to a key", says("cnf", &json!({ "jkt": "abc" })), Refusal::KeyBound),
        ("end of a session", says("events", &json!({ "urn:logout": {} })), Refusal::Event),
        ("no event", says("events", &Value::Null), Refusal::Event),
    ]
}

fn says_nothing() -> String {
    Signer::new("ed25519").token(&header(), &json!({}))
}

fn types() -> Forged {
    let (text, number) = ("a text", "a number");
    let texts = "a text or a list of texts";
    let soon = NOW + 600;
    vec![
        ("issuer is a number", says("iss", &json!(1)), wrong("iss", text, "a number")),
        ("issuer is a list", says("iss", &json!([ISSUER])), wrong("iss", text, "a list")),
        ("issuer is null", says("iss", &Value::Null), wrong("iss", text, "null")),
        ("subject is a number", says("sub", &json!(42)), wrong("sub", text, "a number")),
        ("subject is an object", says("sub", &json!({})), wrong("sub", text, "an object")),
        ("subject is null", says("sub", &Value::Null), wrong("sub", text, "null")),
        ("subject is empty", says("sub", &json!("")), Refusal::Subject),
        ("subject is long", says("sub", &json!("x".repeat(1_025))), Refusal::Subject),
        ("subject with a line end", says("sub", &json!("a\nb")), Refusal::Subject),
        ("exp is a text", says("exp", &json!(soon.to_string())), wrong("exp", number, "a text")),
        (
            "exp is a date",
            says("exp", &json!("2099-01-01T00:00:00Z")),
            wrong("exp", number, "a text"),
        ),
        ("exp is null", says("exp", &Value::Null), wrong("exp", number, "null")),
        ("exp is true", says("exp", &json!(true)), wrong("exp", number, "a truth value")),
        ("exp is a list", says("exp", &json!([soon])), wrong("exp", number, "a list")),
        ("nbf is a text", says("nbf", &json!("0")), wrong("nbf", number, "a text")),
        ("nbf is null", says("nbf", &Value::Null), wrong("nbf", number, "null")),
        ("iat is a text", says("iat", &json!("0")), wrong("iat", number, "a text")),
        ("iat is an object", says("iat", &json!({})), wrong("iat", number, "an object")),
        ("aud is a number", says("aud", &json!(1)), wrong("aud", texts, "a number")),
        ("aud is null", says("aud", &Value::Null), wrong("aud", texts, "null")),
        (
            "aud is an object",
            says("aud", &json!({ AUDIENCE: 1 })),
            wrong("aud", texts, "an object"),
        ),
        ("scope is a list", says("scope", &json!(["a"])), wrong("scope", text, "a list")),
        ("scope is null", says("scope", &Value::Null), wrong("scope", text, "null")),
        ("scp is a number", says("scp", &json!(7)), wrong("scp", texts, "a number")),
        ("scp of numbers", says("scp", &json!(["a", 7])), wrong("scp", texts, "a number")),
    ]
}

fn issuers() -> Forged {
    let mut all: Forged = Vec::new();
    for (what, issuer) in [
        ("issuer with a slash", "https://issuer.example/"),
        ("issuer in other letters", "https://Issuer.example"),
        ("issuer by another scheme", "http://issuer.example"),
        ("issuer as a prefix", "https://issuer.example.evil.example"),
        ("prefix of the issuer", "https://issuer.exampl"),
        ("issuer with a space", "https://issuer.example "),
        ("issuer with its port", "https://issuer.example:443"),
        ("issuer with a user", "https://issuer.example@evil.example"),
        ("issuer is empty", ""),
    ] {
        all.push((what, says("iss", &json!(issuer)), Refusal::Issuer(Excerpt::new(issuer))));
    }
    all
}

fn audiences() -> Forged {
    let mut all: Forged = Vec::new();
    for (what, audience) in [
        ("for another", "https://other.example"),
        ("for another path", "https://guardian.example/mcp"),
        ("audience with a slash", "https://guardian.example/"),
        ("audience in other letters", "HTTPS://GUARDIAN.EXAMPLE"),
        ("audience as a list in a text", r#"["https://guardian.example"]"#),
        ("two audiences in a text", "https://guardian.example https://other.example"),
        ("any audience", "*"),
    ] {
        all.push((what, says("aud", &json!(audience)), Refusal::Audience(Excerpt::new(audience))));
    }
    let texts = "a text or a list of texts";
    all.extend([
        ("aud is empty", says("aud", &json!("")), Refusal::NoAudience),
        ("aud is an empty list", says("aud", &json!([])), Refusal::NoAudience),
        ("aud has an empty one", says("aud", &json!([AUDIENCE, ""])), Refusal::NoAudience),
        ("aud nested", says("aud", &json!([[AUDIENCE]])), wrong("aud", texts, "a list")),
        ("aud has a number", says("aud", &json!([AUDIENCE, 1])), wrong("aud", texts, "a number")),
        ("aud has null", says("aud", &json!([AUDIENCE, null])), wrong("aud", texts, "null")),
        ("aud of others", says("aud", &json!(["a", "b"])), Refusal::Audience(Excerpt::new("a, b"))),
    ]);
    all
}

fn times() -> Forged {
    let ten_years = 3_650 * 86_400;
    vec![
        ("just expired", says("exp", &json!(NOW - 60)), Refusal::Expired(at(NOW - 60))),
        ("expired long ago", says("exp", &json!(1)), Refusal::Expired(at(1))),
        ("expired in 1970", says("exp", &json!(0)), Refusal::Expired(at(0))),
        (
            "good for too long",
            says("exp", &json!(NOW + ten_years + 1)),
            Refusal::TooFar(at(NOW + ten_years + 1)),
        ),
        ("exp in milliseconds", says("exp", &json!((NOW + 600) * 1_000)), Refusal::NoTime("exp")),
        ("exp is huge", says("exp", &json!(u64::MAX)), Refusal::NoTime("exp")),
        ("exp is 1e300", says("exp", &json!(1e300)), Refusal::NoTime("exp")),
        ("exp is negative", says("exp", &json!(-1)), Refusal::NoTime("exp")),
        ("nbf to come", says("nbf", &json!(NOW + 61)), Refusal::NotYet(at(NOW + 61))),
        (
            "nbf far away",
            says("nbf", &json!(NOW + ten_years)),
            Refusal::NotYet(at(NOW + ten_years)),
        ),
        ("nbf is negative", says("nbf", &json!(-5.5)), Refusal::NoTime("nbf")),
        ("nbf is huge", says("nbf", &json!(1e18)), Refusal::NoTime("nbf")),
        ("iat to come", says("iat", &json!(NOW + 61)), Refusal::IssuedLater(at(NOW + 61))),
        ("iat is huge", says("iat", &json!(i64::MAX)), Refusal::NoTime("iat")),
        ("iat is negative", says("iat", &json!(i64::MIN)), Refusal::NoTime("iat")),
    ]
}

#[test]
fn claim_that_is_not_what_it_must_be_is_refused_for_its_own_reason() {
    assert_refused(forged());
}

/// So that who holds any other token learns nothing of it by the one answer that is told apart.
#[test]
fn token_is_told_to_be_expired_only_where_all_else_is_right() {
    let past = json!({ "exp": NOW - 3_600 });
    assert!(verify(&signed(json!({}), past.clone())).unwrap_err().is_expired());
    for (what, in_header, in_claims) in [
        ("issuer", json!({}), json!({ "iss": "https://evil.example" })),
        ("audience", json!({}), json!({ "aud": "other" })),
        ("subject", json!({}), json!({ "sub": "" })),
        ("scope", json!({}), json!({ "scope": [] })),
        ("cnf", json!({}), json!({ "cnf": { "jkt": "abc" } })),
        ("iat", json!({}), json!({ "iat": NOW + 3_600 })),
        ("nbf", json!({}), json!({ "nbf": NOW + 3_600 })),
        ("kid", json!({ "kid": "gone" }), json!({})),
        ("typ", json!({ "typ": "dpop+jwt" }), json!({})),
    ] {
        let mut claims = in_claims.clone();
        claims["exp"] = past["exp"].clone();
        let refused = verify(&signed(in_header, claims)).unwrap_err();
        assert!(!refused.is_expired(), "{what}: {refused}");
    }
    let header = json!({ "alg": "EdDSA", "kid": "ed" });
    let mut claims = good();
    claims["exp"] = past["exp"].clone();
    let forged = Signer::new("other_ed25519").token(&header, &claims);
    let refused = verify_as(&published(&[]), Typ::External, &forged).unwrap_err();
    assert_eq!(refused, Refusal::Signature);
}
