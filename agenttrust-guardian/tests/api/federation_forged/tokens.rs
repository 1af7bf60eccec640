//! What is answered to forged tokens, and what the audit keeps of them.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use super::{Fixture, GUARDIAN, encode, jwk, known, now, sign, signature, with};

/// The fault of a token, the token, and what the audit says of it.
type Row = (&'static str, String, &'static str);

impl Fixture {
    /// Returns tokens that are refused each for its own reason, all of them good in everything else.
    fn forged(&self) -> Vec<Row> {
        let mut all = self.forged_headers();
        all.extend(self.forged_signatures());
        all.extend(self.forged_claims());
        all
    }

    fn forged_headers(&self) -> Vec<Row> {
        let claims = self.claims(json!({}));
        let unsigned = |alg: &str| {
            let header = json!({ "alg": alg }).to_string();
            format!("{}.{}.", encode(&header), encode(&claims.to_string()))
        };
        let says = |more: Value| self.token(more, json!({}));
        let evil = with(
            json!({ "alg": "EdDSA", "kid": "ed" }),
            json!({ "jwk": jwk("other_ed25519", "ed") }),
        );
        vec![
            ("none", unsigned("none"), r#"algorithm is "none""#),
            ("nOnE", unsigned("nOnE"), r#"algorithm is "nOnE""#),
            ("public key as a secret", self.by_public_key(), r#"algorithm is "HS256""#),
            ("another algorithm", says(json!({ "alg": "ES384" })), r#"algorithm is "ES384""#),
            (
                "id of a path",
                says(json!({ "kid": "../../dev/null" })),
                r#"has the id "../../dev/null""#,
            ),
            ("id of SQL", says(json!({ "kid": "' OR 1=1 --" })), r#"has the id "' OR 1=1 --""#),
            ("empty id", says(json!({ "kid": "" })), r#"header's "kid" is no text"#),
            ("id of another key", says(json!({ "kid": "rsa" })), r#"the key "rsa" is for RS256"#),
            ("critical extension", says(json!({ "crit": ["exp"] })), r#"header names "crit""#),
            ("its own key", sign("other_ed25519", &evil, &claims), r#"header names "jwk""#),
            ("where its keys are", says(json!({ "jku": self.site.url })), r#"header names "jku""#),
            ("not encoded", says(json!({ "b64": false })), r#"header names "b64""#),
            ("a proof", says(json!({ "typ": "dpop+jwt" })), r#"type is "dpop+jwt""#),
        ]
    }

    /// Returns a token signed by HMAC, whose secret is the public key as it is published.
    fn by_public_key(&self) -> String {
        let header = json!({ "alg": "HS256", "kid": "rsa" });
        let message = format!(
            "{}.{}",
            encode(&header.to_string()),
            encode(&self.claims(json!({})).to_string())
        );
        let secret = known("rsa")["public"].to_string();
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()).unwrap();
        let algorithm = jsonwebtoken::Algorithm::HS256;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    fn forged_signatures(&self) -> Vec<Row> {
        let good = self.token(json!({}), json!({}));
        let claims = self.claims(json!({}));
        let (message, own) = good.rsplit_once('.').unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let root = encode(&self.claims(json!({ "sub": "root" })).to_string());
        let twice = claims.to_string().replacen('{', r#"{"sub":"root","#, 1);
        let twice = format!("{}.{}", parts[0], encode(&twice));
        let other = |name, alg, kid| sign(name, &json!({ "alg": alg, "kid": kid }), &claims);
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let deep = format!("{}.{}", parts[0], encode(&deep));
        let not_made = "signature was not made by";
        vec![
            ("another key", other("other_ed25519", "EdDSA", "ed"), not_made),
            ("another RSA key", other("other_rsa", "RS256", "rsa"), not_made),
            ("other claims", format!("{}.{root}.{}", parts[0], parts[2]), not_made),
            (
                "ES256 of zeros",
                {
                    let es = other("p256", "ES256", "ec");
                    format!("{}.{}", es.rsplit_once('.').unwrap().0, "A".repeat(86))
                },
                not_made,
            ),
            ("cut", good[..good.len() - 2].to_owned(), "signature is 63 bytes long"),
            ("no signature", format!("{message}."), "has no signature"),
            ("padded", format!("{message}.{own}=="), "signature is no base64url"),
            (
                "a member twice",
                format!("{twice}.{}", signature("ed25519", &twice)),
                "has a member twice",
            ),
            ("nested deep", format!("{deep}.{}", signature("ed25519", &deep)), "nests deeper"),
            ("two parts", message.to_owned(), "has 2 parts"),
            ("encrypted", format!("{good}.AA.AA"), "five parts"),
        ]
    }

    fn forged_claims(&self) -> Vec<Row> {
        let now = now();
        let says = |more: Value| self.token(json!({}), more);
        vec![
            ("for another", says(json!({ "aud": "https://other.example" })), "is for"),
            ("for no one", says(json!({ "aud": [] })), r#"claim "aud" is empty"#),
            ("no audience", says(json!({ "aud": null })), r#"claim "aud" is missing"#),
            ("no end", says(json!({ "exp": null })), r#"claim "exp" is missing"#),
            ("end is a text", says(json!({ "exp": "4102444800" })), r#"claim "exp" is a text"#),
            ("end is huge", says(json!({ "exp": 1e300 })), r#"claim "exp" is no time"#),
            (
                "good for ever",
                says(json!({ "exp": now + 400_000_000 })),
                "later than any token may",
            ),
            ("to come", says(json!({ "nbf": now + 3_600 })), "good only from"),
            ("issued an hour ahead", says(json!({ "iat": now + 3_600 })), "still to come"),
            ("subject is a number", says(json!({ "sub": 7 })), r#"claim "sub" is a number"#),
            ("scope is a list", says(json!({ "scope": ["a"] })), r#"claim "scope" is a list"#),
            ("bound to a key", says(json!({ "cnf": { "jkt": "abc" } })), "bound to a key"),
            ("end of a session", says(json!({ "events": { "urn:logout": {} } })), r#"("events")"#),
        ]
    }

    /// Returns what the audit has of what this key sent in vain.
    async fn refusals(&self, key_id: &str) -> Vec<Value> {
        let mut rows = self.api.audit("federation.token_refused").await;
        rows.retain(|row| row["actor"] == key_id);
        rows
    }

    /// Returns a key that may ask about tokens, and its id; the audit tells of so many refusals of each a minute.
    async fn another_key(&self) -> (String, String) {
        let made = self.api.post("/api/v1/keys", ADMIN, json!({ "role": "gateway" })).await.ok();
        (made.text("key"), made.text("id"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_token_of_each_algorithm_is_verified_and_opens_a_session() {
    let fixture = Fixture::new().await;
    for (name, alg, kid) in
        [("rsa", "RS256", "rsa"), ("p256", "ES256", "ec"), ("ed25519", "EdDSA", "ed")]
    {
        let token = sign(name, &json!({ "alg": alg, "kid": kid }), &fixture.claims(json!({})));
        let verified = fixture.verify(ADMIN, &token).await.ok().body;
        assert_eq!(
            (&verified["valid"], &verified["active"]),
            (&json!(true), &json!(true)),
            "{verified}"
        );
        assert_eq!(verified["agent_id"], fixture.agent, "{verified}");
        assert_eq!(verified["issuer"], fixture.site.url, "{verified}");
        let session = fixture.session(ADMIN, &token).await.ok().body;
        assert_eq!(
            (&session["source"], &session["agent_id"]),
            (&json!("federation"), &json!(fixture.agent))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_token_is_refused_in_one_sentence_and_the_audit_has_the_reason() {
    let fixture = Fixture::new().await;
    let forged = fixture.forged();
    assert!(forged.len() >= 30, "{}", forged.len());
    let mut sentences = Vec::new();
    // So many as the audit tells of one key.
    for rows in forged.chunks(8) {
        let (key, key_id) = fixture.another_key().await;
        for (what, token, _) in rows {
            let verified = fixture.verify(&key, token).await.ok().body;
            assert_eq!(
                (&verified["valid"], &verified["active"]),
                (&json!(false), &json!(false)),
                "{what}: {verified}"
            );
            let mut told: Vec<&String> = verified.as_object().unwrap().keys().collect();
            told.sort_unstable();
            assert_eq!(told, ["active", "error", "valid"], "{what}: {verified}");
            sentences.push(verified["error"].to_string());
            let session = fixture.session(&key, token).await;
            session.refused(401, "AUTH_FAILED");
            sentences.push(format!("\"AUTH_FAILED: {}\"", session.text("message")));
        }
        let refusals = fixture.refusals(&key_id).await;
        assert_eq!(refusals.len(), 2 * rows.len(), "{refusals:?}");
        for (what, token, reason) in rows {
            let tells = |row: &&Value| row["body"]["reason"].as_str().unwrap().contains(reason);
            let found = refusals.iter().filter(tells).count();
            assert!(found >= 2, "{what}: no {reason:?} in {refusals:#?}");
            let last = token.rsplit('.').next().unwrap();
            let leaks = last.len() > 8 && json!(refusals).to_string().contains(last);
            assert!(!leaks, "{what}: the audit has the token");
        }
    }
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "who forges learns from {sentences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_was_good_is_told_to_be_expired() {
    let fixture = Fixture::new().await;
    let now = now();
    let past = json!({ "iat": now - 4_000, "exp": now - 3_600 });
    let token = fixture.token(json!({}), past.clone());
    let verified = fixture.verify(ADMIN, &token).await.ok().body;
    assert_eq!(verified["valid"], false);
    assert!(verified["error"].as_str().unwrap().starts_with("TOKEN_EXPIRED: "), "{verified}");
    fixture.session(ADMIN, &token).await.refused(401, "TOKEN_EXPIRED");
    for (what, token) in [
        ("of another", fixture.token(json!({}), with(past.clone(), json!({ "aud": "other" })))),
        ("unknown key", fixture.token(json!({ "kid": "gone" }), past.clone())),
        ("forged", {
            let header = json!({ "alg": "EdDSA", "kid": "ed" });
            sign("other_ed25519", &header, &fixture.claims(past.clone()))
        }),
    ] {
        let verified = fixture.verify(ADMIN, &token).await.ok().body;
        let error = verified["error"].as_str().unwrap();
        assert!(error.starts_with("AUTH_FAILED: "), "{what}: {error}");
        fixture.session(ADMIN, &token).await.refused(401, "AUTH_FAILED");
    }
}

/// An issuer's clock may be a minute off; by an hour it is refused for what it is.
#[tokio::test(flavor = "multi_thread")]
async fn issuer_whose_clock_is_off_by_an_hour_is_refused_by_the_right_code() {
    let fixture = Fixture::new().await;
    let (now, hour) = (now(), 3_600);
    let at = |clock: u64| json!({ "iat": clock, "nbf": clock, "exp": clock + 600 });
    for clock in [now - 50, now + 50] {
        fixture.session(ADMIN, &fixture.token(json!({}), at(clock))).await.ok();
    }
    let ahead = fixture.token(json!({}), at(now + hour));
    fixture.session(ADMIN, &ahead).await.refused(401, "AUTH_FAILED");
    let behind = fixture.token(json!({}), at(now - hour));
    fixture.session(ADMIN, &behind).await.refused(401, "TOKEN_EXPIRED");
    let reasons = fixture.api.audit("federation.token_refused").await;
    let told: Vec<String> = reasons.iter().map(|row| row["body"].to_string()).collect();
    assert!(told.iter().any(|row| row.contains("good only from")), "{told:#?}");
    assert!(told.iter().any(|row| row.contains("expired at")), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_100_kb_is_refused_at_once_and_nobody_is_asked() {
    let fixture = Fixture::new().await;
    let asked = fixture.site.asked();
    let token = fixture.token(json!({}), json!({ "x": "x".repeat(75_000) }));
    assert!(token.len() > 100_000);
    let verified = fixture.verify(ADMIN, &token).await;
    assert!(verified.status.is_client_error() || verified.body["valid"] == false, "{verified:?}");
    let session = fixture.session(ADMIN, &token).await;
    assert!(session.status.is_client_error(), "{session:?}");
    // The issuer in it is not one that is known, so nothing is read there.
    let other = super::site::Site::start().await;
    let stranger = fixture.token(json!({}), json!({ "iss": other.url, "aud": GUARDIAN }));
    fixture.session(ADMIN, &stranger).await.refused(401, "AUTH_FAILED");
    assert_eq!((fixture.site.asked(), other.asked()), (asked, 0));
}
