//! What only a test inside can do: the clock by hand, and what changes between a token's verification and its session.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::model::{FederationRule, TrustLevel};
use agenttrust_testkit::{ADMIN, Answer, Issuer};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use super::providers::{self, NewProvider, ProviderUpdate};
use super::{Audiences, begin, verify};
use crate::domain::{Fingerprint, Key};
use crate::engine::Engine;
use crate::harness::{Api, open_with};
use crate::store::Vouching;

const GUARDIAN: &str = "https://guardian.example";
const VERIFY: &str = "/api/v1/federation/tokens/verify";
const INIT: &str = "/api/v1/federation/sessions/init";

struct Trial {
    api: Api,
    issuer: Issuer,
    key: Arc<Key>,
    provider_id: String,
    agent: String,
}

impl Trial {
    async fn new() -> Self {
        let api = open_with(|builder| builder.allow_outbound("127.0.0.1/32")).await;
        let issuer = Issuer::start().await;
        let agent = api.agent(&["*"]).await;
        let engine = api.guardian.engine();
        let key = engine.key(Fingerprint::from_text(ADMIN)).await.unwrap().unwrap();
        let vouching = Vouching {
            name: "partner".to_owned(),
            trust_level: TrustLevel::High,
            audiences: vec![GUARDIAN.to_owned()],
            rules: vec![FederationRule::new(&agent)],
        };
        let new = NewProvider { issuer: issuer.url().to_owned(), vouching };
        let provider_id = providers::register(engine, &key, new).await.unwrap().id;
        Self { api, issuer, key, provider_id, agent }
    }

    fn engine(&self) -> &Arc<Engine> {
        self.api.guardian.engine()
    }

    /// Returns a token that is good for so long.
    fn token(&self, lives: Duration) -> String {
        let now = agenttrust::Timestamp::now().unix_micros() / 1_000_000;
        let exp = now + i64::try_from(lives.as_secs()).unwrap();
        self.issuer.token("alice", json!({ "aud": GUARDIAN, "exp": exp }))
    }

    async fn init(&self, token: &str) -> Answer {
        self.api.post(INIT, ADMIN, json!({ "token": token })).await
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn issuer_that_is_down_is_believed_for_an_hour_and_then_nothing_is_decided() {
    let mut trial = Trial::new().await;
    let token = trial.token(5 * HOUR);
    trial.issuer.stop().await;
    trial.engine().clock.advance(HOUR - Duration::from_secs(60));
    trial.init(&token).await.ok();
    trial.engine().clock.advance(Duration::from_secs(120));
    for path in [VERIFY, INIT] {
        let answer = trial.api.post(path, ADMIN, json!({ "token": token })).await;
        answer.refused(503, "UNAVAILABLE").says("cannot be read at present");
    }
    trial.issuer.resume().await;
    // The next read may be a moment away.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    trial.init(&token).await.ok();
}

#[tokio::test]
async fn token_is_over_by_the_clock_of_the_guardian() {
    let trial = Trial::new().await;
    let token = trial.token(Duration::from_secs(300));
    let session = trial.init(&token).await.ok().text("session_id");
    trial.api.check_in(ADMIN, &trial.agent, "files_read", &session).await.allowed();
    // Its clock set ahead by an hour, it has expired, and what it opened with it.
    trial.engine().clock.set_ahead(HOUR);
    trial.init(&token).await.refused(401, "TOKEN_EXPIRED");
    let said = trial.api.post(VERIFY, ADMIN, json!({ "token": token })).await.ok();
    assert!(said.text("error").starts_with("TOKEN_EXPIRED: "), "{said:?}");
    let checked = trial.api.check_in(ADMIN, &trial.agent, "files_read", &session).await;
    assert_eq!(checked.body["allowed"], false, "{checked:?}");
}

#[tokio::test]
async fn token_that_names_no_key_is_verified_by_the_one_that_came_in_its_place() {
    let trial = Trial::new().await;
    let without_kid = |key: u8| {
        let token = trial.token(HOUR);
        let claims = token.split('.').nth(1).unwrap();
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": "EdDSA" }).to_string());
        let signed = format!("{header}.{claims}");
        let signature = SigningKey::from_bytes(&[key; 32]).sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
    trial.init(&without_kid(1)).await.ok();
    trial.issuer.rotate();
    trial.init(&without_kid(2)).await.ok();
    trial.init(&without_kid(1)).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn what_changed_since_a_token_was_verified_holds_for_its_session() {
    let trial = Trial::new().await;
    let (engine, key, token) = (trial.engine(), &trial.key, trial.token(HOUR));
    let audiences = Audiences::OfProvider;
    let verified = verify(engine, &key.org_id, &token, None, audiences).await.unwrap();
    let less =
        ProviderUpdate { trust_level: Some(TrustLevel::Medium), ..ProviderUpdate::default() };
    providers::change(engine, key, &trial.provider_id, less).await.unwrap();
    let session = begin(engine, key, &verified, "").await.unwrap();
    assert_eq!(session.trust_level.as_deref(), Some("medium"));
    assert_eq!(session.mode.as_str(), "supervised");

    let suspend = format!("/api/v1/agents/{}/suspend", trial.agent);
    trial.api.post(&suspend, ADMIN, json!({})).await.ok();
    let refused = begin(engine, key, &verified, "other").await.unwrap_err();
    assert!(refused.message().contains("suspended"), "{refused:?}");

    providers::remove(engine, key, &trial.provider_id).await.unwrap();
    let refused = begin(engine, key, &verified, "").await.unwrap_err();
    assert!(refused.message().contains("does not work"), "{refused:?}");
}

#[tokio::test]
async fn refusals_of_one_key_are_told_within_bounds() {
    let trial = Trial::new().await;
    for n in 0..100 {
        trial.init(&format!("not.a.token{n}")).await.refused(401, "AUTH_FAILED");
    }
    let rows: Vec<Value> = trial.api.audit("federation.token_refused").await;
    assert_eq!(rows.len(), 20);
}
