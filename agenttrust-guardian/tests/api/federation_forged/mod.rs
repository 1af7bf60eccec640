//! Forged tokens and hostile issuers from outside are refused in bounded time, in one sentence that helps no attacker.
//! The audit has the reason.

mod issuers;
mod reach;
mod site;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

use agenttrust_testkit::{ADMIN, Answer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use self::site::{Page, Site};
use crate::support::{Api, open_with};

/// The audience that a token must be for.
const GUARDIAN: &str = "https://guardian.example";

/// A Guardian that knows one issuer, whose tokens about `someone` are an agent.
struct Fixture {
    api: Api,
    site: Site,
    agent: String,
}

impl Fixture {
    async fn new() -> Self {
        let site = Site::start().await;
        site.publish_good(&[]);
        let api = open_with(|builder| {
            // This machine alone, so that what is on any other private address stays closed.
            builder.allow_outbound("127.0.0.0/8").public_url(GUARDIAN)
        })
        .await;
        let agent = api.agent(&["*"]).await;
        let rules = json!([{ "subject": "someone", "agent_id": agent }]);
        let body = json!({
            "issuer": site.url, "name": "good", "trust_level": "high", "rules": rules,
        });
        api.post("/api/v1/federation/providers", ADMIN, body).await.ok();
        Self { api, site, agent }
    }

    /// Claims with which a token is good.
    fn claims(&self, more: Value) -> Value {
        let now = now();
        let claims = json!({
            "iss": self.site.url, "aud": GUARDIAN, "sub": "someone", "iat": now, "exp": now + 600,
        });
        with(claims, more)
    }

    /// Returns a token of the issuer's, signed, with these members of header and claims in place of the good ones.
    fn token(&self, in_header: Value, in_claims: Value) -> String {
        let header = with(json!({ "alg": "EdDSA", "kid": "ed" }), in_header);
        sign("ed25519", &header, &self.claims(in_claims))
    }

    async fn verify(&self, key: &str, token: &str) -> Answer {
        let body = json!({ "token": token });
        self.api.post("/api/v1/federation/tokens/verify", key, body).await
    }

    async fn session(&self, key: &str, token: &str) -> Answer {
        let body = json!({ "token": token });
        self.api.post("/api/v1/federation/sessions/init", key, body).await
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Returns one of the keys that everybody knows.
fn known(name: &str) -> Value {
    serde_json::from_str::<Value>(include_str!("../../data/keys.json")).unwrap()[name].take()
}

/// Returns its public half under an id.
fn jwk(name: &str, kid: &str) -> Value {
    with(known(name)["public"].clone(), json!({ "kid": kid }))
}

fn sign(name: &str, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(&header.to_string()), encode(&claims.to_string()));
    format!("{message}.{}", signature(name, &message))
}

fn signature(name: &str, message: &str) -> String {
    let key = known(name);
    let der = decode(&key["der"]);
    let (key, algorithm) = match key["algorithm"].as_str().unwrap() {
        "RS256" => (EncodingKey::from_rsa_der(&der), Algorithm::RS256),
        "ES256" => (EncodingKey::from_ec_der(&der), Algorithm::ES256),
        _ => (EncodingKey::from_ed_der(&der), Algorithm::EdDSA),
    };
    jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap()
}

fn decode(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Returns `object` and these members more, in place of those of the same name; `null` takes one away.
fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object
}
