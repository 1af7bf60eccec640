//! Headers by which a token would choose how it is verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::signing::{Signer, decode, encode, good, known, signed};
use super::{Forged, assert_refused};
use crate::jose::refusal::{Excerpt, Refusal};

fn told(text: &str) -> Excerpt {
    Excerpt::new(text)
}

/// Returns a good token, whose header says this too.
fn says(more: Value) -> String {
    signed(more, json!({}))
}

pub(super) fn forged() -> Forged {
    let mut all = algorithms();
    all.extend(shared_secrets());
    all.extend(key_ids());
    all.extend(forbidden());
    all.extend(types());
    all
}

fn algorithms() -> Forged {
    let unsigned = |alg: &'static str, signature: &str| {
        let header = json!({ "alg": alg }).to_string();
        let message =
            format!("{}.{}", encode(header.as_bytes()), encode(good().to_string().as_bytes()));
        (format!("{message}.{signature}"), Refusal::Unsigned(told(alg)))
    };
    let mut all: Forged = Vec::new();
    for (what, alg, signature) in [
        ("none", "none", ""),
        ("none, with a signature", "none", "AAAA"),
        ("None", "None", ""),
        ("NONE", "NONE", ""),
        ("nOnE", "nOnE", ""),
        ("none and a space", "none ", ""),
    ] {
        let (token, refusal) = unsigned(alg, signature);
        all.push((what, token, refusal));
    }
    let rsa = |algorithm, named: &'static str| {
        let header = json!({ "alg": named, "kid": "rsa" });
        let token = Signer::new("rsa").by(algorithm).token(&header, &good());
        (named, token, Refusal::Algorithm(told(named)))
    };
    all.extend([
        rsa(Algorithm::RS384, "RS384"),
        rsa(Algorithm::RS512, "RS512"),
        rsa(Algorithm::PS256, "PS256"),
        rsa(Algorithm::RS256, "rs256"),
        rsa(Algorithm::RS256, "RS256 "),
        rsa(Algorithm::RS256, "RSA1_5"),
    ]);
    for alg in ["eddsa", "Ed25519", "ES384", "ES256K", "EdDSA\0", "RS256,EdDSA"] {
        all.push((alg, says(json!({ "alg": alg })), Refusal::Algorithm(told(alg))));
    }
    all.extend([
        ("no algorithm", says(json!({ "alg": null })), Refusal::NoAlgorithm),
        ("algorithm is a number", says(json!({ "alg": 1 })), Refusal::HeaderType("alg")),
        ("algorithm is a list", says(json!({ "alg": ["EdDSA"] })), Refusal::HeaderType("alg")),
        ("algorithm is empty", says(json!({ "alg": "" })), Refusal::HeaderType("alg")),
    ]);
    all
}

/// Returns tokens that are signed with a secret that is public: the public key, in each way that it
/// is written.
fn shared_secrets() -> Forged {
    let spki = decode(known("rsa")["spki"].as_str().unwrap());
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in STANDARD.encode(&spki).as_bytes().chunks(64) {
        pem.push_str(str::from_utf8(line).unwrap());
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    let jwk = known("rsa")["public"].to_string();
    let modulus = decode(known("rsa")["public"]["n"].as_str().unwrap());
    let point = decode(known("ed25519")["public"]["x"].as_str().unwrap());
    let secret = |what, secret: &[u8], alg: &'static str, kid: &str| {
        let header = json!({ "alg": alg, "kid": kid });
        (what, Signer::hmac(secret).token(&header, &good()), Refusal::Symmetric(told(alg)))
    };
    vec![
        secret("HMAC with the key in PEM", pem.as_bytes(), "HS256", "rsa"),
        secret("HMAC with the key in PEM, cut", pem.trim_end().as_bytes(), "HS256", "rsa"),
        secret("HMAC with the key in DER", &spki, "HS256", "rsa"),
        secret("HMAC with the key as JWK", jwk.as_bytes(), "HS256", "rsa"),
        secret("HMAC with the modulus", &modulus, "HS256", "rsa"),
        secret("HMAC with the point", &point, "HS256", "ed"),
        secret("HMAC in small letters", &spki, "hs256", "rsa"),
        secret("HMAC of another length", &spki, "HS512", "rsa"),
    ]
}

fn key_ids() -> Forged {
    let unknown =
        |what, kid: &str| (what, says(json!({ "kid": kid })), Refusal::UnknownKey(told(kid)));
    let no_name = |what, kid: Value| {
        // A name that is null would be taken away.
        let header = format!(r#"{{"alg":"EdDSA","kid":{kid}}}"#);
        let token = Signer::new("ed25519").raw(header.as_bytes(), good().to_string().as_bytes());
        (what, token, Refusal::HeaderType("kid"))
    };
    let of_other = Refusal::KeyOfOtherAlgorithm { kid: told("rsa"), key: "RS256", token: "EdDSA" };
    vec![
        unknown("id of a path", "../../../../dev/null"),
        unknown("id of SQL", "ed' UNION SELECT 'secret' -- "),
        unknown("id of a command", "ed|/usr/bin/id"),
        unknown("id of a URL", "https://evil.example/jwks.json"),
        unknown("id in other letters", "ED"),
        unknown("id and a space", "ed "),
        unknown("id and a zero byte", "ed\0"),
        unknown("id of no key", "gone"),
        no_name("id is empty", json!("")),
        no_name("id is very long", json!("e".repeat(257))),
        no_name("id is a number", json!(1)),
        no_name("id is null", json!(null)),
        no_name("id is a list", json!(["ed"])),
        no_name("id is an object", json!({ "$ne": "" })),
        ("id of another key", says(json!({ "kid": "rsa" })), of_other),
    ]
}

fn forbidden() -> Forged {
    let evil = Signer::new("other_ed25519");
    let own = json!({ "alg": "EdDSA", "kid": "ed", "jwk": evil.jwk("ed", json!({})) });
    let member = |what, name: &'static str, value: Value| {
        (what, says(json!({ name: value })), Refusal::HeaderMember(name))
    };
    vec![
        ("brings its own key", evil.token(&own, &good()), Refusal::HeaderMember("jwk")),
        member("brings the right key", "jwk", Signer::new("ed25519").jwk("ed", json!({}))),
        member("says where its keys are", "jku", json!("https://evil.example/jwks.json")),
        member("says where its certificate is", "x5u", json!("https://evil.example/cert.pem")),
        member("brings a certificate", "x5c", json!(["MIIB"])),
        member("critical extension", "crit", json!(["exp"])),
        member("critical extension that is known", "crit", json!(["b64"])),
        member("critical, of none", "crit", json!([])),
        member("critical is no list", "crit", json!("exp")),
        member("not encoded", "b64", json!(false)),
        member("encoded, as it says", "b64", json!(true)),
        member("compressed", "zip", json!("DEF")),
        member("encrypted, it says", "enc", json!("A256GCM")),
    ]
}

fn types() -> Forged {
    let mut all: Forged = Vec::new();
    for typ in ["dpop+jwt", "wit+jwt", "logout+jwt", "secevent+jwt", "JOSE", "text/JWT", "JWT "] {
        all.push((typ, says(json!({ "typ": typ })), Refusal::Type(told(typ))));
    }
    all.extend([
        ("type is a number", says(json!({ "typ": 1 })), Refusal::HeaderType("typ")),
        ("type is empty", says(json!({ "typ": "" })), Refusal::HeaderType("typ")),
        ("content is a number", says(json!({ "cty": 1 })), Refusal::HeaderType("cty")),
    ]);
    all
}

#[test]
fn header_that_would_choose_how_it_is_verified_is_refused_for_its_own_reason() {
    assert_refused(forged());
}
