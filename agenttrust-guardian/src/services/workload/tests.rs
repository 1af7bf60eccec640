//! What time does to nonces, tokens and proofs, and what becomes of them where the database does not do as it should.

use std::time::{Duration, Instant};

use agenttrust::{AgentKeyPair, generate_agent_key, mint_dpop_proof, sign_with_private_key_pem};
use agenttrust_testkit::{ADMIN, Answer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Api, open_with};
use crate::store::query;

const URL: &str = "http://localhost/api/v1/agenttrust/check";

struct Worker {
    agent: String,
    pair: AgentKeyPair,
}

impl Worker {
    async fn of(api: &Api) -> Self {
        let pair = generate_agent_key().unwrap();
        let body = json!({
            "name": "worker", "capabilities": ["*"], "public_key": pair.public_key_pem,
        });
        let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
        Self { agent, pair }
    }

    async fn nonce(&self, api: &Api) -> String {
        let path = format!("/api/v1/agents/{}/challenge", self.agent);
        api.post(&path, ADMIN, json!({})).await.ok().text("nonce")
    }

    async fn asks(&self, api: &Api, nonce: &str, ttl: u64) -> Answer {
        let ts = api.guardian.engine().clock.now().unix_seconds();
        let text = format!("pop-v1:{nonce}:{}::{ts}", self.agent);
        let signature = sign_with_private_key_pem(&self.pair.private_key_pem, text.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.unwrap());
        let proof = json!({ "nonce": nonce, "ts": ts, "signature": signature });
        let body = json!({ "agent_id": self.agent, "ttl_seconds": ttl, "proof": proof });
        api.post("/api/v1/wimse/token", ADMIN, body).await
    }

    async fn token(&self, api: &Api, ttl: u64) -> String {
        self.asks(api, &self.nonce(api).await, ttl).await.ok().text("token")
    }

    fn mint(&self, token: &str) -> String {
        mint_dpop_proof(&self.pair.private_key_pem, "POST", URL, token).unwrap()
    }

    async fn checks(&self, api: &Api, token: &str, proof: &str) -> Answer {
        let token = format!("DPoP {token}");
        let headers = [("authorization", token.as_str()), ("dpop", proof)];
        api.with(&headers).check(ADMIN, &self.agent, "search").await
    }
}

async fn verified(api: &Api, token: &str) -> Value {
    api.post("/api/v1/wimse/verify", ADMIN, json!({ "token": token })).await.ok().body
}

#[tokio::test]
async fn nonce_is_good_for_five_minutes() {
    let api = open_with(|builder| builder).await;
    let worker = Worker::of(&api).await;
    let clock = &api.guardian.engine().clock;
    let (one, other) = (worker.nonce(&api).await, worker.nonce(&api).await);
    clock.advance(Duration::from_secs(295));
    worker.asks(&api, &one, 60).await.ok();
    clock.advance(Duration::from_secs(6));
    worker.asks(&api, &other, 60).await.refused(401, "AUTH_FAILED").says("in the last 5 minutes");
}

#[tokio::test]
async fn token_ends_when_it_says_without_a_minute_more() {
    let api = open_with(|builder| builder).await;
    let worker = Worker::of(&api).await;
    let clock = &api.guardian.engine().clock;
    let token = worker.token(&api, 60).await;
    clock.advance(Duration::from_secs(55));
    assert_eq!(verified(&api, &token).await["valid"], true);
    clock.advance(Duration::from_secs(6));
    let now = verified(&api, &token).await;
    assert_eq!(now["valid"], false, "{now}");
    assert!(now["reason"].as_str().unwrap().contains("has expired"), "{now}");
    let answer = worker.checks(&api, &token, "x").await;
    answer.refused(401, "AUTH_FAILED").says("has expired");
    assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    clock.advance(Duration::from_secs(3_600));
    assert!(verified(&api, &token).await["reason"].as_str().unwrap().contains("has expired"));
}

#[tokio::test]
async fn token_is_worth_nothing_once_its_agent_has_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api, 900).await;
    let headers = [
        ("agenttrust-dpop", worker.mint(&token)),
        ("agenttrust-dpop-method", "POST".to_owned()),
        ("agenttrust-dpop-url", URL.to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let path = "/api/v1/agenttrust/api-sessions/init";
    let opened = api.with(&headers).post(path, ADMIN, json!({ "token": token })).await.ok();
    let session = opened.text("session_id");
    api.check_in(ADMIN, &worker.agent, "search", &session).await.allowed();
    let another = generate_agent_key().unwrap().public_key_pem;
    const CHANGE: &str = "UPDATE agents SET public_key = $1 WHERE id = $2";
    let db = api.guardian.engine().store.db();
    query(CHANGE).bind(another).bind(&worker.agent).execute(&db).await.unwrap();
    api.guardian.close().await;

    let api = open_with(|builder| builder.database(&database)).await;
    let now = verified(&api, &token).await;
    assert!(now["reason"].as_str().unwrap().contains("another key"), "{now}");
    let answer = worker.checks(&api, &token, &worker.mint(&token)).await;
    answer.refused(401, "AUTH_FAILED").says("another key");
    api.check_in(ADMIN, &worker.agent, "search", &session).await.denied("another key");
}

#[tokio::test]
async fn proof_that_cannot_be_kept_as_used_is_not_taken() {
    let api = open_with(|builder| builder).await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api, 900).await;
    let nonce = worker.nonce(&api).await;
    let db = api.guardian.engine().store.db();
    query("ALTER TABLE used_proofs RENAME TO away").execute(&db).await.unwrap();
    let proof = worker.mint(&token);
    worker.checks(&api, &token, &proof).await.refused(503, "UNAVAILABLE");
    worker.asks(&api, &nonce, 60).await.refused(503, "UNAVAILABLE");
    // Nothing that needs no proof is in its way.
    api.check(ADMIN, &worker.agent, "search").await.allowed();
    query("ALTER TABLE away RENAME TO used_proofs").execute(&db).await.unwrap();
    worker.checks(&api, &token, &proof).await.allowed();
}

#[tokio::test]
async fn used_proofs_are_kept_for_as_long_as_anyone_would_take_them_and_then_go() {
    let api = open_with(|builder| builder).await;
    let engine = api.guardian.engine();
    let worker = Worker::of(&api).await;
    let token = worker.token(&api, 900).await;
    worker.checks(&api, &token, &worker.mint(&token)).await.allowed();
    let now = engine.clock.now();
    let after = |minutes: u64| now.saturating_add(Duration::from_secs(minutes * 60));
    assert_eq!(engine.store.prune_proofs(after(10)).await.unwrap(), 0);
    assert_eq!(engine.store.prune_proofs(after(12)).await.unwrap(), 1, "the proof");
    assert_eq!(engine.store.prune_proofs(after(16)).await.unwrap(), 1, "the nonce of its token");
}

#[tokio::test]
async fn check_with_a_proof_is_answered_by_its_deadline_while_the_database_is_busy() {
    const DEADLINE: Duration = Duration::from_millis(100);
    let api = open_with(|builder| builder.check_deadline(DEADLINE)).await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api, 900).await;
    let held = api.guardian.engine().store.db().begin().await.unwrap();
    let asked = Instant::now();
    let answer = worker.checks(&api, &token, &worker.mint(&token)).await;
    assert!(asked.elapsed() < 10 * DEADLINE, "answered after {:?}", asked.elapsed());
    answer.denied("not decided");
    assert!(answer.headers.contains_key("agenttrust-retry-after"), "{answer:?}");
    drop(held);
    worker.checks(&api, &token, &worker.mint(&token)).await.allowed();
}
