//! Tokens of workloads: whose they are, what proves that, and what each is worth.

use std::time::{SystemTime, UNIX_EPOCH};

use agenttrust::{AgentKeyPair, generate_agent_key, sign_with_private_key_pem};
use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const ISSUE: &str = "/api/v1/wimse/token";
const VERIFY: &str = "/api/v1/wimse/verify";

/// An agent that has a key pair, and its API key.
pub(crate) struct Worker {
    pub(crate) agent: String,
    pub(crate) key: String,
    pub(crate) pair: AgentKeyPair,
}

pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

impl Worker {
    pub(crate) async fn of(api: &Api) -> Self {
        Self::able_to(api, &["*"]).await
    }

    pub(crate) async fn able_to(api: &Api, capabilities: &[&str]) -> Self {
        let pair = generate_agent_key().unwrap();
        let body = json!({
            "name": "worker", "capabilities": capabilities, "public_key": pair.public_key_pem,
        });
        let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
        let key = api.key(Role::Agent, &[&agent]).await;
        Self { agent, key, pair }
    }

    pub(crate) async fn nonce(&self, api: &Api) -> String {
        let path = format!("/api/v1/agents/{}/challenge", self.agent);
        api.post(&path, &self.key, json!({})).await.ok().text("nonce")
    }

    /// Returns a proof over exactly this text.
    fn signed(&self, nonce: &str, ts: i64, text: &str) -> Value {
        let signature = sign_with_private_key_pem(&self.pair.private_key_pem, text.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.unwrap());
        json!({ "nonce": nonce, "ts": ts, "signature": signature })
    }

    /// Returns the proof for a token of this audience.
    fn proof(&self, nonce: &str, audience: &[&str], ts: i64) -> Value {
        let text = format!("pop-v1:{nonce}:{}:{}:{ts}", self.agent, audience.join(","));
        self.signed(nonce, ts, &text)
    }

    /// Asks for a token.
    pub(crate) async fn asks(&self, api: &Api, more: Value) -> Answer {
        let mut body = json!({ "agent_id": self.agent });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.post(ISSUE, &self.key, body).await
    }

    /// Returns a token that is bound to its key.
    pub(crate) async fn token(&self, api: &Api) -> String {
        self.token_for(api, &[]).await
    }

    pub(crate) async fn token_for(&self, api: &Api, audience: &[&str]) -> String {
        let proof = self.proof(&self.nonce(api).await, audience, now());
        let more = json!({ "proof": proof, "audience": audience });
        self.asks(api, more).await.ok().text("token")
    }
}

/// Returns a part of a token: 0 its header, 1 its claims.
pub(crate) fn part(token: &str, which: usize) -> Value {
    let part = token.split('.').nth(which).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn worth(api: &Api, token: &str) -> Value {
    api.post(VERIFY, ADMIN, json!({ "token": token })).await.ok().body
}

#[track_caller]
fn worthless(worth: &Value, because: &str) {
    assert_eq!(worth["valid"], false, "{worth}");
    assert!(worth["reason"].as_str().unwrap().contains(because), "{because:?} is not in {worth}");
    assert!(worth.get("agent_id").is_none(), "{worth}");
}

#[tokio::test]
async fn token_says_which_agent_it_is_of_and_is_signed_by_a_published_key() {
    let api = open_with(|builder| builder.public_url("https://guardian.example/")).await;
    let worker = Worker::able_to(&api, &["files:read", "db:*"]).await;
    let more = json!({
        "service_name": "payments", "environment": "prod", "ttl_seconds": 120, "audience": ["https://a.example"],
    });
    let answer = worker.asks(&api, more).await.ok();
    let expected = format!(
        "spiffe://guardian.example/environment/prod/service/payments/agent/{}",
        worker.agent
    );
    assert_eq!(answer.body["workload_id"], expected);
    assert_eq!(answer.body["trust_domain"], "guardian.example");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let token = answer.text("token");
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let published = api.get("/.well-known/jwks.json", ADMIN).await.ok().body;
    assert_eq!(
        header,
        json!({ "alg": "EdDSA", "kid": published["keys"][0]["kid"], "typ": "wit+jwt" })
    );
    for (claim, value) in [
        ("iss", json!("https://guardian.example")),
        ("sub", json!(expected)),
        ("aud", json!(["https://a.example"])),
        ("agent_id", json!(worker.agent)),
        ("org_id", json!("org_default")),
        ("capabilities", json!(["files:read", "db:*"])),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
    assert!(claims["jti"].as_str().unwrap().starts_with("wit_"));
    assert!(claims.get("cnf").is_none(), "it was issued without a proof");

    let worth = worth(&api, &token).await;
    assert_eq!(worth["valid"], true, "{worth}");
    assert_eq!(worth["workload_id"], expected);
    assert_eq!(worth["capabilities"], json!(["files:read", "db:*"]));
    let rows = api.audit("workload.token_issued").await;
    assert_eq!((rows.len(), &rows[0]["body"]["jti"]), (1, &claims["jti"]));
    assert!(!rows[0].to_string().contains(&token), "the audit keeps no token");
}

#[tokio::test]
async fn token_is_bound_to_the_key_of_an_agent_that_proves_that_it_has_it() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let key = agenttrust::parse_public_key(&worker.pair.public_key_pem).unwrap();
    let thumbprint = agenttrust::internal::dpop::thumbprint(&key);
    assert_eq!(part(&token, 1)["cnf"], json!({ "jkt": thumbprint }));
    assert_eq!(part(&token, 1)["sub"], format!("spiffe://agenttrust.local/agent/{}", worker.agent));
    assert_eq!(part(&token, 1)["iss"], "https://agenttrust.local");
    let rows = api.audit("workload.token_issued").await;
    assert_eq!(rows[0]["body"]["key_thumbprint"], thumbprint);
}

#[tokio::test]
async fn proof_that_is_not_right_in_every_part_is_refused_and_recorded() {
    let api = open().await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let elsewhere = open().await;
    let twin = Worker::of(&elsewhere).await;
    let nonce = worker.nonce(&api).await;
    let foreign = worker.proof(&twin.nonce(&elsewhere).await, &[], now());
    let of_other = worker.proof(&other.nonce(&api).await, &[], now());
    let by_other = json!({ "nonce": nonce, "ts": now(), "signature": other.proof(&nonce, &[], now())["signature"] });
    let (a, b) = ("https://a.example", "https://b.example");
    let late = worker.proof(&nonce, &[], now() - 70);
    let early = worker.proof(&nonce, &[], now() + 70);
    let mut redated = worker.proof(&nonce, &[], now());
    redated["ts"] = json!(now() + 3);
    let mut cut = worker.proof(&nonce, &[], now());
    cut["signature"] = json!("AAAA");
    let of_v0 =
        worker.signed(&nonce, now(), &format!("pop-v0:{nonce}:{}::{}", worker.agent, now()));
    for (proof, audience, because) in [
        (foreign, json!([]), "was not given to this agent"),
        (of_other, json!([]), "was not given to this agent"),
        (worker.proof("made-up_AAAA", &[], now()), json!([]), "was not given to this agent"),
        (by_other, json!([]), "is not the agent's"),
        (worker.proof(&nonce, &[a, b], now()), json!([b, a]), "is not the agent's"),
        (worker.proof(&nonce, &[a], now()), json!([]), "is not the agent's"),
        (worker.proof(&nonce, &[], now()), json!([a]), "is not the agent's"),
        (late, json!([]), "more than 60 s from now"),
        (early, json!([]), "more than 60 s from now"),
        (redated, json!([]), "is not the agent's"),
        (cut, json!([]), "is not the agent's"),
        (of_v0, json!([]), "is not the agent's"),
    ] {
        let answer = worker.asks(&api, json!({ "proof": proof, "audience": audience })).await;
        answer.refused(401, "AUTH_FAILED").says(because);
    }
    let rows = api.audit("proof.refused").await;
    assert_eq!(rows.len(), 12);
    assert_eq!(rows[0]["body"]["operation"], "issue_token");
    // None of them used the nonce up.
    let right = worker.proof(&nonce, &[a, b], now());
    worker.asks(&api, json!({ "proof": right, "audience": [a, b] })).await.ok();
}

#[tokio::test]
async fn nonce_of_a_challenge_is_good_once() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let nonce = worker.nonce(&api).await;
    worker.asks(&api, json!({ "proof": worker.proof(&nonce, &[], now()) })).await.ok();
    for ts in [now(), now() + 1] {
        let again = json!({ "proof": worker.proof(&nonce, &[], ts) });
        worker.asks(&api, again).await.refused(401, "AUTH_FAILED").says("used before");
    }
}

#[tokio::test]
async fn nonce_stays_used_when_the_guardian_was_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let worker = Worker::of(&api).await;
    let (used, unused) = (worker.nonce(&api).await, worker.nonce(&api).await);
    worker.asks(&api, json!({ "proof": worker.proof(&used, &[], now()) })).await.ok();
    api.guardian.close().await;

    let api = open_with(|builder| builder.database(&database)).await;
    let again = json!({ "proof": worker.proof(&used, &[], now()) });
    worker.asks(&api, again).await.refused(401, "AUTH_FAILED").says("used before");
    worker.asks(&api, json!({ "proof": worker.proof(&unused, &[], now()) })).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_that_are_shown_one_nonce_at_once_one_takes_it() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open_with(|builder| builder.database(fresh.url()).secret_key(SEALED_BY).replica(name))
    };
    let (one, two) = (replica("one").await, replica("two").await);
    let worker = Worker::of(&one).await;
    agenttrust_testkit::eventually("the other replica knows the agent", async || {
        two.get(&format!("/api/v1/agents/{}", worker.agent), &worker.key).await.status == 200
    })
    .await;
    for _ in 0..10 {
        let nonce = worker.nonce(&one).await;
        let body = json!({ "proof": worker.proof(&nonce, &[], now()) });
        let (at_one, at_two) =
            tokio::join!(worker.asks(&one, body.clone()), worker.asks(&two, body));
        let mut statuses = [at_one.status.as_u16(), at_two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{at_one:?} {at_two:?}");
    }
}

/// The key that secrets in a shared database are sealed by.
pub(crate) const SEALED_BY: &str =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[tokio::test]
async fn token_is_worth_nothing_once_what_it_rests_on_is_gone() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let path = |verb: &str| format!("/api/v1/agents/{}/{verb}", worker.agent);

    let token = worker.token(&api).await;
    api.post(&path("suspend"), ADMIN, json!({})).await.ok();
    worthless(&worth(&api, &token).await, "suspended or revoked");
    let path_of_challenge = path("challenge");
    api.post(&path_of_challenge, ADMIN, json!({})).await.refused(403, "AUTH_DENIED");
    worker.asks(&api, json!({})).await.refused(403, "AUTH_DENIED");
    api.post(&path("reactivate"), ADMIN, json!({})).await.ok();
    assert_eq!(worth(&api, &token).await["valid"], true);

    // The key that signed it.
    api.post("/api/v1/cards/keys/rotate", ADMIN, json!({ "overlap": 0 })).await.ok();
    worthless(&worth(&api, &token).await, "rotated out");
    let token = worker.token(&api).await;
    assert_eq!(worth(&api, &token).await["valid"], true);

    // The API key that it was issued with.
    let spare = api
        .post("/api/v1/keys", ADMIN, json!({ "role": "agent", "agents": [worker.agent] }))
        .await
        .ok();
    let body = json!({ "agent_id": worker.agent });
    let by_spare = api.post(ISSUE, &spare.text("key"), body).await.ok().text("token");
    assert_eq!(worth(&api, &by_spare).await["valid"], true);
    let path_of_key = format!("/api/v1/keys/{}", spare.text("id"));
    api.ask(axum::http::Method::DELETE, &path_of_key, ADMIN, None).await.ok();
    worthless(&worth(&api, &by_spare).await, "API key that the token was issued with");

    api.post(&path("revoke"), ADMIN, json!({ "reason": "gone" })).await.ok();
    worthless(&worth(&api, &token).await, "suspended or revoked");
    worker.asks(&api, json!({})).await.refused(403, "AGENT_REVOKED");
}

#[tokio::test]
async fn token_that_this_guardian_did_not_issue_is_worth_nothing_and_told_no_reason_that_helps() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let elsewhere = open().await;
    let twin = Worker::of(&elsewhere).await;
    let foreign = twin.token(&elsewhere).await;
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let written = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut wider = part(&token, 1);
    wider["capabilities"] = json!(["everything"]);
    let typed =
        |typ: &str| written(&json!({ "alg": "EdDSA", "kid": part(&token, 0)["kid"], "typ": typ }));
    let none = written(&json!({ "alg": "none", "typ": "wit+jwt" }));
    for (forged, because) in [
        (foreign, "rotated out"),
        (format!("{header}.{}.{signature}", written(&wider)), "did not issue"),
        (format!("{}.{claims}.{signature}", typed("JOSE")), "did not issue"),
        (format!("{}.{claims}.{signature}", typed("JWT")), "did not issue"),
        (format!("{none}.{claims}."), "did not issue"),
        (format!("{header}.{claims}"), "did not issue"),
        (format!("{header}.{claims}.{}", "A".repeat(86)), "did not issue"),
        (api.token(&worker.agent, &["*"]).await, "did not issue"),
        ("ey.x.y".to_owned(), "did not issue"),
    ] {
        worthless(&worth(&api, &forged).await, because);
    }
    api.post(VERIFY, ADMIN, json!({ "token": "" })).await.refused(400, "VALIDATION_ERROR");
    let long = "e".repeat(17_000);
    api.post(VERIFY, ADMIN, json!({ "token": long })).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn signature_of_a_card_is_no_token() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let path = format!("/api/v1/agents/{}/card", worker.agent);
    let body = json!({ "description": "does things" });
    let card = api.post(&path, ADMIN, body).await.ok().body;
    let card = card.get("card").unwrap_or(&card);
    let signed: agenttrust::AgentCard = serde_json::from_value(card.clone()).unwrap();
    let payload = URL_SAFE_NO_PAD.encode(signed.signed_payload().unwrap());
    let signature = &signed.signatures[0];
    let passed_off = format!("{}.{payload}.{}", signature.protected, signature.signature);
    worthless(&worth(&api, &passed_off).await, "did not issue");
}

#[tokio::test]
async fn token_is_told_to_be_of_its_trust_domain_and_to_those_alone_who_reach_its_agent() {
    let api = open_with(|builder| builder.trust_domain("acme")).await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let token = worker.token(&api).await;
    let ask = async |key: &str, domain: &str| {
        let body = json!({ "token": token, "trust_domain_filter": domain });
        api.post(VERIFY, key, body).await.ok().body
    };
    assert_eq!(ask(ADMIN, "acme").await["trust_domain"], "acme");
    assert_eq!(ask(&worker.key, "").await["valid"], true);
    worthless(&ask(ADMIN, "guardian.example").await, "another trust domain");
    worthless(&ask(&other.key, "").await, "did not issue");
}

#[tokio::test]
async fn token_of_an_agent_out_of_reach_is_answered_as_one_that_was_never_issued() {
    let api = open().await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let token = worker.token(&api).await;
    let parts: Vec<&str> = token.split('.').collect();
    let never = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86));
    let ask = async |key: &str, token: &str| {
        api.post(VERIFY, key, json!({ "token": token })).await.ok().body
    };
    let unknown = ask(&other.key, &never).await;
    assert_eq!(ask(&other.key, &token).await, unknown);
    let path = |what: &str| format!("/api/v1/agents/{}/{what}", worker.agent);
    for what in ["suspend", "revoke"] {
        api.post(&path(what), ADMIN, json!({ "reason": "test" })).await.ok();
        assert_eq!(ask(&other.key, &token).await, unknown, "{what}");
        worthless(&ask(&worker.key, &token).await, "suspended or revoked");
    }
    // Of those that it reaches a caller that speaks for one learns of that one.
    let both = api.key(Role::Agent, &[&worker.agent, &other.agent]).await;
    let speaks_for_other = api.with(&[("x-agent-id", other.agent.as_str())]);
    let answer = speaks_for_other.post(VERIFY, &both, json!({ "token": token })).await.ok();
    assert_eq!(answer.body, unknown);
}

#[tokio::test]
async fn token_for_an_audience_is_worth_nothing_at_another_and_says_what_it_is_for_and_bound_to() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let (files, mail) = ("https://files.example", "https://mail.example");
    let bound = worker.token_for(&api, &[files, "https://also.example"]).await;
    let plain = worker.asks(&api, json!({})).await.ok().text("token");
    let ask = async |key: &str, token: &str, target: Option<&str>| {
        let headers = target.map(|target| ("agenttrust-target", target));
        let api = api.with(headers.as_slice());
        api.post(VERIFY, key, json!({ "token": token })).await.ok().body
    };
    for key in [ADMIN, &worker.key, &gateway] {
        let worth = ask(key, &bound, Some(files)).await;
        assert_eq!(worth["valid"], true, "{worth}");
        assert_eq!(worth["audience"], json!([files, "https://also.example"]));
        assert_eq!(worth["key_thumbprint"], part(&bound, 1)["cnf"]["jkt"]);
        for elsewhere in [mail, "https://files.example/", "files.example"] {
            worthless(&ask(key, &bound, Some(elsewhere)).await, "another audience");
        }
        let worth = ask(key, &plain, Some(mail)).await;
        assert_eq!(worth["valid"], true, "{worth}");
        assert!(worth.get("audience").is_none() && worth.get("key_thumbprint").is_none());
    }
    // Without a target: who has the token for itself, and who may do anything, as ever.
    for key in [ADMIN, &worker.key] {
        assert_eq!(ask(key, &bound, None).await["valid"], true);
    }
    worthless(&ask(&gateway, &bound, None).await, "AgentTrust-Target");
    assert_eq!(ask(&gateway, &plain, None).await["valid"], true);
    let named = json!({ "role": "gateway", "gateway": files });
    let named = api.post("/api/v1/keys", ADMIN, named).await.ok().text("key");
    assert_eq!(ask(&named, &bound, None).await["valid"], true);
    let long = "x".repeat(2_000);
    let api = api.with(&[("agenttrust-target", &long)]);
    api.post(VERIFY, ADMIN, json!({ "token": plain })).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn token_carries_no_more_than_the_agent_had_and_still_has() {
    let api = open().await;
    let worker = Worker::able_to(&api, &["files:read", "files:write"]).await;
    let token = worker.token(&api).await;
    let change = async |body: Value| {
        let path = format!("/api/v1/agents/{}", worker.agent);
        api.ask(axum::http::Method::PATCH, &path, ADMIN, Some(body)).await.ok();
    };
    change(json!({ "grant": ["db:read"], "withdraw": ["files:write"] })).await;
    assert_eq!(worth(&api, &token).await["capabilities"], json!(["files:read"]));
    change(json!({ "grant": ["files:write"] })).await;
    assert_eq!(
        worth(&api, &token).await["capabilities"],
        json!(["files:read"]),
        "lost once, lost for it"
    );
}

#[tokio::test]
async fn what_cannot_be_in_a_token_is_refused_by_name() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    for (more, field) in [
        (json!({ "ttl_seconds": 59 }), "ttl_seconds"),
        (json!({ "ttl_seconds": 86_401 }), "ttl_seconds"),
        (json!({ "service_name": "a/b" }), "service_name"),
        (json!({ "service_name": ".." }), "service_name"),
        (json!({ "environment": "x".repeat(101) }), "environment"),
        (json!({ "audience": ["a,b"] }), "audience"),
        (json!({ "audience": [""] }), "audience[0]"),
        (json!({ "audience": vec!["a"; 17] }), "audience"),
        (json!({ "proof": { "nonce": "", "ts": 1, "signature": "x" } }), "proof.nonce"),
        (
            json!({ "proof": { "nonce": "x", "ts": 1, "signature": "x".repeat(201) } }),
            "proof.signature",
        ),
    ] {
        let answer = worker.asks(&api, more).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], field);
    }
    let keyless = api.agent(&["*"]).await;
    let path = format!("/api/v1/agents/{keyless}/challenge");
    let nonce = api.post(&path, ADMIN, json!({})).await.ok().text("nonce");
    let proof = json!({ "nonce": nonce, "ts": now(), "signature": "AAAA" });
    let body = json!({ "agent_id": keyless, "proof": proof });
    api.post(ISSUE, ADMIN, body).await.refused(409, "CONFLICT").says("no registered key");
    let many: Vec<String> = (0..200).map(|n| format!("{n}:{}", "x".repeat(60))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let crowded = Worker::able_to(&api, &many).await;
    crowded.asks(&api, json!({})).await.refused(409, "CONFLICT").says("more capabilities");
}

#[tokio::test]
async fn agent_is_given_another_key_by_an_admin_and_what_is_bound_to_the_old_one_ends_at_once() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let path = format!("/api/v1/agents/{}", worker.agent);
    let patch = async |key: &str, body: Value| api.ask(Method::PATCH, &path, key, Some(body)).await;
    patch(ADMIN, json!({ "requires_proof": true })).await.ok();
    let token = worker.token(&api).await;
    assert_eq!(worth(&api, &token).await["valid"], true);
    let nonce = worker.nonce(&api).await;

    let next = generate_agent_key().unwrap();
    let change = json!({ "public_key": next.public_key_pem });
    let operator = api.key(Role::Operator, &[]).await;
    for key in [&worker.key, &operator] {
        patch(key, change.clone()).await.refused(403, "AUTH_DENIED");
    }
    for none in ["", "no key", &next.private_key_pem] {
        let answer = patch(ADMIN, json!({ "public_key": none })).await;
        let refused = answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(refused.body["details"]["field"], "public_key", "{refused:?}");
    }
    assert_eq!(worth(&api, &token).await["valid"], true, "nothing of that changed it");
    let changed = patch(ADMIN, change.clone()).await.ok().body;
    assert_eq!(changed["public_key"], next.public_key_pem);
    assert_eq!(api.get(&path, ADMIN).await.ok().body, changed);

    // The old key proves nothing any more, and a token that was made with it is worth nothing.
    worthless(&worth(&api, &token).await, "another key");
    let proof = worker.proof(&nonce, &[], now());
    worker.asks(&api, json!({ "proof": proof })).await.refused(401, "AUTH_FAILED");
    let renewed = Worker { agent: worker.agent.clone(), key: worker.key.clone(), pair: next };
    let token = renewed.token(&api).await;
    assert_eq!(worth(&api, &token).await["valid"], true);

    let told = api.audit("agent.changed").await;
    let body = &told.last().unwrap()["body"];
    let [before, after] = ["before", "after"].map(|when| body[when]["key_thumbprint"].as_str());
    assert!(before.is_some() && after.is_some() && before != after, "{body}");
    // The same once more changes nothing.
    patch(ADMIN, change).await.ok();
    assert_eq!(worth(&api, &token).await["valid"], true);
}
