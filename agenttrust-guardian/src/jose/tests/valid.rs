//! Tokens that are good, so that what refuses the others is the fault and nothing else.

use serde_json::{Value, json};

use super::signing::{AUDIENCE, NOW, Signer, at, good, published, signed, verify, verify_as, with};
use crate::jose::{KeySet, Refusal, Typ, Unverified};

#[test]
fn backend_verifies_what_was_signed_by_each_of_the_three_algorithms() {
    for (name, algorithm, kid) in
        [("rsa", "RS256", "rsa"), ("p256", "ES256", "ec"), ("ed25519", "EdDSA", "ed")]
    {
        let header = json!({ "alg": algorithm, "kid": kid });
        let token = Signer::new(name).token(&header, &good());
        let claims = verify(&token).unwrap_or_else(|refusal| panic!("{algorithm}: {refusal}"));
        assert_eq!(claims.subject, "someone");
        assert_eq!(claims.expires_at, at(NOW + 600));
    }
}

#[test]
fn what_an_issuer_may_write_is_taken() {
    let good: [(&str, Value, Value); 20] = [
        ("nothing special", json!({}), json!({})),
        ("no type", json!({ "typ": null }), json!({})),
        ("type of an access token", json!({ "typ": "at+jwt" }), json!({})),
        ("type in full", json!({ "typ": "application/at+JWT" }), json!({})),
        ("type in small letters", json!({ "typ": "jwt" }), json!({})),
        (
            "members that say nothing to us",
            json!({ "x5t": "abc", "nonce": "1" }),
            json!({ "x": 1 }),
        ),
        ("exp with a fraction", json!({}), json!({ "exp": 1_900_000_600.25 })),
        ("exp just within the skew", json!({}), json!({ "exp": NOW - 59 })),
        ("exp by an exponent", json!({}), json!({ "exp": 1.9000006e9 })),
        ("exp nearly ten years ahead", json!({}), json!({ "exp": NOW + 3_649 * 86_400 })),
        ("nbf within the skew", json!({}), json!({ "nbf": NOW + 60 })),
        ("nbf that has passed", json!({}), json!({ "nbf": NOW - 60 })),
        ("iat within the skew", json!({}), json!({ "iat": NOW + 60 })),
        ("no iat", json!({}), json!({ "iat": null })),
        ("old iat", json!({}), json!({ "iat": 0 })),
        ("one audience in a list", json!({}), json!({ "aud": [AUDIENCE] })),
        ("ours among the audiences", json!({}), json!({ "aud": ["other", AUDIENCE] })),
        ("scope", json!({}), json!({ "scope": "openid files:read" })),
        ("scp as a list", json!({}), json!({ "scp": ["files:read"] })),
        ("long subject", json!({}), json!({ "sub": "ä".repeat(512) })),
    ];
    for (what, in_header, in_claims) in good {
        let verified = verify(&signed(in_header, in_claims));
        assert!(verified.is_ok(), "{what}: {verified:?}");
    }
}

#[test]
fn claims_are_told_as_the_token_says_them() {
    let aud = json!([AUDIENCE, "https://other.example"]);
    let claims = verify(&signed(
        json!({}),
        json!({ "aud": aud, "exp": 1_900_000_600.5, "scope": " a:b  openid ", "team": ["x"] }),
    ))
    .unwrap();
    assert_eq!(claims.audiences, [AUDIENCE, "https://other.example"]);
    assert_eq!(claims.expires_at.unix_micros(), 1_900_000_600_500_000);
    assert_eq!(claims.scopes, ["a:b", "openid"]);
    assert_eq!(claims.all["team"], json!(["x"]));
    for (written, scopes) in [
        (json!({ "scp": ["a", "b c"] }), vec!["a", "b c"]),
        (json!({ "scp": "a b" }), vec!["a", "b"]),
        (json!({ "scope": "a", "scp": ["b"] }), vec!["a"]),
        (json!({ "scope": "", "scp": ["b"] }), vec![]),
        (json!({}), vec![]),
    ] {
        assert_eq!(
            verify(&signed(json!({}), written.clone())).unwrap().scopes,
            scopes,
            "{written}"
        );
    }
}

#[test]
fn token_without_kid_is_taken_only_where_one_key_fits() {
    let nameless = |name: &str, algorithm: &str| {
        Signer::new(name).token(&json!({ "alg": algorithm }), &good())
    };
    // Each of the three is for another algorithm.
    let token = nameless("p256", "ES256");
    assert!(verify(&token).is_ok());
    let two = published(&[Signer::new("other_p256").jwk("more", json!({}))]);
    let refused = verify_as(&two, Typ::External, &token);
    assert_eq!(refused.unwrap_err(), Refusal::KeyNotNamed(2));
    let none = KeySet::parse(br#"{"keys": []}"#).unwrap();
    let refused = verify_as(&none, Typ::External, &token).unwrap_err();
    assert_eq!(refused, Refusal::NoKeyFits);
    assert!(refused.is_unknown_key());
    // The key has no id either.
    let jwk = with(Signer::new("p256").jwk("", json!({})), json!({ "kid": null }));
    let set = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    assert!(verify_as(&set, Typ::External, &token).is_ok());
    let named = Signer::new("p256").token(&json!({ "alg": "ES256", "kid": "ec" }), &good());
    assert!(verify_as(&set, Typ::External, &named).unwrap_err().is_unknown_key());
}

#[test]
fn workload_token_is_one_only_by_its_type() {
    let keys = published(&[]);
    let typed = |typ: Value| signed(json!({ "typ": typ }), json!({}));
    assert!(verify_as(&keys, Typ::Workload, &typed(json!("wit+jwt"))).is_ok());
    let bound = signed(json!({ "typ": "wit+jwt" }), json!({ "cnf": { "jkt": "abc" } }));
    assert!(verify_as(&keys, Typ::Workload, &bound).is_ok());
    for other in ["JWT", "at+jwt", "dpop+jwt", "wit", "jwt+wit"] {
        let refused = verify_as(&keys, Typ::Workload, &typed(json!(other))).unwrap_err();
        assert!(matches!(refused, Refusal::Type(_)), "{other}: {refused}");
    }
    let refused = verify_as(&keys, Typ::Workload, &typed(Value::Null)).unwrap_err();
    assert_eq!(refused, Refusal::NoType);
}

#[test]
fn what_a_token_says_of_itself_is_read_without_a_key() {
    let token = signed(json!({}), json!({}));
    let read = Unverified::read(&token).unwrap();
    assert_eq!((read.kid(), read.issuer()), (Some("ed"), super::signing::ISSUER));
    let shown = format!("{read:?}");
    assert!(token.split('.').skip(1).all(|part| !shown.contains(part)), "{shown}");
    assert!(published(&[]).knows(&read));
    let unknown = signed(json!({ "kid": "new" }), json!({}));
    assert!(!published(&[]).knows(&Unverified::read(&unknown).unwrap()));
    assert!(!KeySet::default().knows(&read));
    // A key with that id is here, for something else: no newer one is looked for.
    let other = signed(json!({ "kid": "rsa" }), json!({}));
    assert!(published(&[]).knows(&Unverified::read(&other).unwrap()));
}
