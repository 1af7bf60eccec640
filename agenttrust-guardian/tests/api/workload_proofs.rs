//! Proofs that come with checks: right, or refused; good once; and needed of an agent that is set so, at every face.

use agenttrust::{AgentKeyPair, generate_agent_key, mint_dpop_proof, sign_with_private_key_pem};
use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Api, open, open_with};
use crate::workload::{SEALED_BY, Worker, now, part};

const URL: &str = "http://localhost/api/v1/agenttrust/check";
const INIT: &str = "/api/v1/agenttrust/api-sessions/init";

/// A proof that is right, unless something of it is changed.
struct Proof {
    header: Value,
    claims: Value,
    by: AgentKeyPair,
}

fn jwk(pair: &AgentKeyPair) -> Value {
    let key = agenttrust::parse_public_key(&pair.public_key_pem).unwrap();
    json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key.as_bytes()) })
}

impl Proof {
    fn of(worker: &Worker, token: &str, jti: &str) -> Self {
        let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
        Self {
            header: json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk(&worker.pair) }),
            claims: json!({ "htm": "POST", "htu": URL, "iat": now(), "jti": jti, "ath": ath }),
            by: worker.pair.clone(),
        }
    }

    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(claim);
        self
    }

    fn by(mut self, pair: &AgentKeyPair) -> Self {
        self.by = pair.clone();
        self
    }

    fn sign(&self) -> String {
        let written = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", written(&self.header), written(&self.claims));
        let signature = sign_with_private_key_pem(&self.by.private_key_pem, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

impl Worker {
    /// Returns a new proof for a check at this URL.
    fn mint(&self, token: &str, url: &str) -> String {
        mint_dpop_proof(&self.pair.private_key_pem, "POST", url, token).unwrap()
    }

    async fn checks(&self, api: &Api, token: &str, proof: &str) -> Answer {
        let token = format!("DPoP {token}");
        let headers = [("authorization", token.as_str()), ("dpop", proof)];
        api.with(&headers).check(&self.key, &self.agent, "search").await
    }

    pub(crate) async fn must_prove(&self, api: &Api) {
        let path = format!("/api/v1/agents/{}", self.agent);
        let body = Some(json!({ "requires_proof": true }));
        let agent = api.ask(Method::PATCH, &path, ADMIN, body).await.ok();
        assert_eq!(agent.body["requires_proof"], true);
    }
}

/// Expects a check that was refused with this error of RFC 9449.
#[track_caller]
fn refused<'a>(answer: &'a Answer, error: &str) -> &'a Answer {
    answer.refused(401, "AUTH_FAILED");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("DPoP "), "{challenge}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge} {answer:?}");
    answer
}

#[tokio::test]
async fn check_with_a_right_proof_is_decided_with_either_scheme() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    for scheme in ["DPoP", "Bearer", "dpop"] {
        let (token_header, proof) = (format!("{scheme} {token}"), worker.mint(&token, URL));
        let headers = [("authorization", token_header.as_str()), ("dpop", proof.as_str())];
        api.with(&headers).check(&worker.key, &worker.agent, "search").await.allowed();
    }
    let rows = api.audit("decision").await;
    assert_eq!(rows[0]["body"]["proof"], part(&token, 1)["cnf"]["jkt"]);
    // Query and fragment of the address are no part of it, and nor is how the host is written.
    for url in [
        "http://LOCALHOST/api/v1/agenttrust/check",
        "HTTP://localhost:80/api/v1/agenttrust/check?x=1#y",
    ] {
        let proof = Proof::of(&worker, &token, url).claim("htu", json!(url)).sign();
        let answer = worker.checks(&api, &token, &proof).await;
        // A proof names no query and no fragment (RFC 9449, 4.2), so whether one is read with them is the reader's.
        assert!(url.contains('?') || answer.status == 200, "{url}: {answer:?}");
    }
}

/// Returns proofs of which one thing each is wrong, and which.
fn wrong_proofs(worker: &Worker, token: &str) -> Vec<(&'static str, Proof)> {
    let other = generate_agent_key().unwrap();
    let base = |jti: &str| Proof::of(worker, token, jti);
    let mut private = jwk(&worker.pair);
    private["d"] = json!("AAAA");
    vec![
        ("htm", base("1").claim("htm", json!("GET"))),
        ("htm in small letters", base("2").claim("htm", json!("post"))),
        (
            "htu of another path",
            base("3").claim("htu", json!("http://localhost/api/v1/agenttrust/checks")),
        ),
        (
            "htu of another host",
            base("4").claim("htu", json!("http://guardian.example/api/v1/agenttrust/check")),
        ),
        (
            "htu of another scheme",
            base("5").claim("htu", json!("https://localhost/api/v1/agenttrust/check")),
        ),
        (
            "htu of another port",
            base("6").claim("htu", json!("http://localhost:8080/api/v1/agenttrust/check")),
        ),
        (
            "htu with a slash more",
            base("7").claim("htu", json!("http://localhost/api/v1/agenttrust/check/")),
        ),
        (
            "ath of another token",
            base("8").claim("ath", json!(URL_SAFE_NO_PAD.encode(Sha256::digest("x")))),
        ),
        ("no ath", base("9").without("ath")),
        ("no jti", base("10").without("jti")),
        ("empty jti", base("")),
        ("long jti", base(&"x".repeat(201))),
        ("iat too old", base("11").claim("iat", json!(now() - 65))),
        ("iat to come", base("12").claim("iat", json!(now() + 65))),
        ("iat is a text", base("13").claim("iat", json!(now().to_string()))),
        ("key of another", base("14").header("jwk", jwk(&other)).by(&other)),
        ("signed by another", base("15").by(&other)),
        ("alg none", base("16").header("alg", json!("none"))),
        ("alg RS256", base("17").header("alg", json!("RS256"))),
        ("alg HS256", base("18").header("alg", json!("HS256"))),
        ("jwk with its private part", base("19").header("jwk", private)),
        (
            "jwk of another kind",
            base("20").header("jwk", json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" })),
        ),
        ("typ", base("21").header("typ", json!("JWT"))),
        ("crit", base("22").header("crit", json!(["x"]))),
        ("jku", base("23").header("jku", json!("https://evil.example/keys"))),
    ]
}

#[tokio::test]
async fn wrong_proof_is_refused_before_anything_is_decided_and_recorded() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let wrong = wrong_proofs(&worker, &token);
    let count = wrong.len();
    for (what, proof) in wrong {
        let answer = worker.checks(&api, &token, &proof.sign()).await;
        println!("{what}: {}", answer.text("message"));
        refused(&answer, "invalid_dpop_proof");
    }
    for proof in ["", "x", "a.b.c", &"e".repeat(9_000)] {
        refused(&worker.checks(&api, &token, proof).await, "invalid_dpop_proof");
    }
    let told = api.audit("proof.refused").await;
    assert_eq!(told.len(), 20, "as many rows as one key has in a minute, of {count}");
    assert_eq!(
        told[0]["agent_id"].as_str().or(told[0]["body"]["agent_id"].as_str()),
        Some(worker.agent.as_str())
    );
    assert!(api.audit("decision").await.is_empty(), "nothing was decided");
    assert!(!json!(told).to_string().contains(&token));
    let right = Proof::of(&worker, &token, "right").sign();
    worker.checks(&api, &token, &right).await.allowed();
}

#[tokio::test]
async fn proof_without_its_token_or_more_than_once_is_refused() {
    let api = open().await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let token = worker.token(&api).await;
    let ask = async |headers: &[(&str, &str)]| {
        api.with(headers).check(&worker.key, &worker.agent, "search").await
    };
    let proof = worker.mint(&token, URL);
    let bound = format!("DPoP {token}");
    refused(&ask(&[("dpop", &proof)]).await, "invalid_token");
    let second = worker.mint(&token, URL);
    let twice = [("authorization", bound.as_str()), ("dpop", &proof), ("dpop", &second)];
    refused(&ask(&twice).await, "invalid_dpop_proof");
    refused(&ask(&[("authorization", &bound)]).await, "invalid_dpop_proof").says("without a proof");
    let opaque = format!("DPoP {}", api.token(&worker.agent, &["*"]).await);
    refused(&ask(&[("authorization", &opaque), ("dpop", &proof)]).await, "invalid_token");
    let basic = format!("Basic {token}");
    refused(&ask(&[("authorization", &basic), ("dpop", &proof)]).await, "invalid_token");

    // Of another agent, with its own right proof: one that the key reaches too, and one that it does not.
    let theirs = other.token(&api).await;
    let both = api.key(Role::Agent, &[&worker.agent, &other.agent]).await;
    let by_both = Worker { key: both, agent: worker.agent.clone(), pair: worker.pair.clone() };
    let answer = by_both.checks(&api, &theirs, &other.mint(&theirs, URL)).await;
    refused(&answer, "invalid_token").says("another agent's");
    let answer = worker.checks(&api, &theirs, &other.mint(&theirs, URL)).await;
    refused(&answer, "invalid_token").says("did not issue");
    // Bound to nothing.
    let unbound = worker.asks(&api, json!({})).await.ok().text("token");
    let answer = worker.checks(&api, &unbound, &worker.mint(&unbound, URL)).await;
    refused(&answer, "invalid_token").says("bound to no key");
    // A key stays needed.
    let headers = [("authorization", bound.as_str()), ("dpop", &proof)];
    api.with(&headers).check("", &worker.agent, "search").await.refused(401, "AUTH_FAILED");
    worker.checks(&api, &token, &proof).await.allowed();
}

#[tokio::test]
async fn proof_is_good_once_and_stays_used_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let proof = worker.mint(&token, URL);
    worker.checks(&api, &token, &proof).await.allowed();
    refused(&worker.checks(&api, &token, &proof).await, "invalid_dpop_proof").says("used before");
    // Its id is its key's: said again in another proof it is the same.
    let one = Proof::of(&worker, &token, "mine").sign();
    let same = Proof::of(&worker, &token, "mine").claim("iat", json!(now() - 1)).sign();
    worker.checks(&api, &token, &one).await.allowed();
    refused(&worker.checks(&api, &token, &same).await, "invalid_dpop_proof").says("used before");
    assert_eq!(api.audit("proof.refused").await.len(), 2);
    api.guardian.close().await;

    let api = open_with(|builder| builder.database(&database)).await;
    refused(&worker.checks(&api, &token, &proof).await, "invalid_dpop_proof").says("used before");
    worker.checks(&api, &token, &worker.mint(&token, URL)).await.allowed();
    let another = Worker::of(&api).await;
    let theirs = another.token(&api).await;
    let same_id = Proof::of(&another, &theirs, "mine").sign();
    another.checks(&api, &theirs, &same_id).await.allowed();
}

#[tokio::test]
async fn repeated_check_needs_a_proof_of_its_own_and_is_told_to_nobody_without() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let bound = format!("DPoP {token}");
    let ask = async |proof: &str| {
        let mut headers = vec![("idempotency-key", "one")];
        if !proof.is_empty() {
            headers.extend([("authorization", bound.as_str()), ("dpop", proof)]);
        }
        api.with(&headers).check(&worker.key, &worker.agent, "search").await
    };
    let proof = worker.mint(&token, URL);
    let first = ask(&proof).await;
    first.allowed();
    refused(&ask(&proof).await, "invalid_dpop_proof");
    let again = ask(&worker.mint(&token, URL)).await;
    assert_eq!(again.text("check_id"), first.text("check_id"));
    ask("").await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_that_are_shown_one_proof_at_once_one_takes_it() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open_with(|builder| builder.database(fresh.url()).secret_key(SEALED_BY).replica(name))
    };
    let (one, two) = (replica("one").await, replica("two").await);
    let worker = Worker::of(&one).await;
    let token = worker.token(&one).await;
    agenttrust_testkit::eventually("the other replica knows agent and key", async || {
        worker.checks(&two, &token, &worker.mint(&token, URL)).await.status == 200
    })
    .await;
    for _ in 0..10 {
        let proof = worker.mint(&token, URL);
        let (at_one, at_two) =
            tokio::join!(worker.checks(&one, &token, &proof), worker.checks(&two, &token, &proof));
        let mut statuses = [at_one.status.as_u16(), at_two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{at_one:?} {at_two:?}");
    }
}

#[tokio::test]
async fn proof_is_for_a_public_url_where_there_is_one_and_for_each_of_them() {
    let api = open_with(|builder| {
        builder.public_url("https://Guardian.example/base/").public_url("http://inside:8080")
    })
    .await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    let path = "/api/v1/agenttrust/check";
    for (base, is_right) in [
        ("https://guardian.example/base", true),
        ("https://guardian.example:443/base", true),
        ("http://inside:8080", true),
        ("https://guardian.example", false),
        ("https://guardian.example/BASE", false),
        ("http://inside", false),
        ("http://localhost", false),
    ] {
        let proof = worker.mint(&token, &format!("{base}{path}"));
        let answer = worker.checks(&api, &token, &proof).await;
        assert_eq!(answer.status == 200, is_right, "{base}: {answer:?}");
    }
    // What is sent along as the host says nothing.
    let proof = worker.mint(&token, &format!("http://evil.example{path}"));
    let at = api.with(&[("host", "evil.example")]);
    let bound = format!("DPoP {token}");
    let at = at.with(&[("authorization", &bound), ("dpop", &proof)]);
    refused(&at.check(&worker.key, &worker.agent, "search").await, "invalid_dpop_proof");
}

#[tokio::test]
async fn token_for_another_audience_is_refused_and_one_for_this_guardian_taken() {
    let api = open_with(|builder| builder.public_url("https://guardian.example")).await;
    let worker = Worker::of(&api).await;
    let url = "https://guardian.example/api/v1/agenttrust/check";
    let elsewhere = worker.token_for(&api, &["https://other.example"]).await;
    let answer = worker.checks(&api, &elsewhere, &worker.mint(&elsewhere, url)).await;
    refused(&answer, "invalid_token").says("another audience");
    let here =
        worker.token_for(&api, &["https://other.example", "https://guardian.example/"]).await;
    worker.checks(&api, &here, &worker.mint(&here, url)).await.allowed();
}

#[tokio::test]
async fn nonces_are_asked_for_where_that_is_set() {
    let api = open_with(|builder| builder.dpop_nonces(true)).await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let token = worker.token(&api).await;
    let ask = async |jti: &str, nonce: Value| {
        let proof = Proof::of(&worker, &token, jti).claim("nonce", nonce).sign();
        worker.checks(&api, &token, &proof).await
    };
    let asked = worker.checks(&api, &token, &worker.mint(&token, URL)).await;
    let nonce = refused(&asked, "use_dpop_nonce").headers["dpop-nonce"].to_str().unwrap();
    ask("one", json!(nonce)).await.allowed();
    ask("two", json!(nonce)).await.allowed();
    refused(&ask("two", json!(nonce)).await, "invalid_dpop_proof");
    refused(&ask("three", json!("made-up_AAAA")).await, "use_dpop_nonce");
    // One that is good is not used up by what was asked for it.
    ask("three", json!(nonce)).await.allowed();
    let theirs = other.token(&api).await;
    let stolen = Proof::of(&other, &theirs, "four").claim("nonce", json!(nonce)).sign();
    refused(&other.checks(&api, &theirs, &stolen).await, "use_dpop_nonce");
    assert_eq!(api.audit("proof.refused").await.len(), 1, "to ask for a nonce is no refusal");
}

#[tokio::test]
async fn agent_that_must_prove_itself_is_denied_without_a_proof_whatever_the_key() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let token = worker.token(&api).await;
    worker.must_prove(&api).await;
    api.check(&worker.key, &worker.agent, "search").await.denied("needs a proof");
    api.check(ADMIN, &worker.agent, "search").await.denied("needs a proof");
    worker.checks(&api, &token, &worker.mint(&token, URL)).await.allowed();
    // An admin's key is none of the agent's.
    let headers = [("authorization", format!("DPoP {token}")), ("dpop", worker.mint(&token, URL))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(a, b)| (*a, b.as_str())).collect();
    api.with(&headers).check(ADMIN, &worker.agent, "search").await.allowed();
    // In a session of whatever kind.
    let session = api.session(&worker.key, &worker.agent, json!({})).await.ok().text("session_id");
    api.check_in(&worker.key, &worker.agent, "search", &session).await.denied("needs a proof");
    let opaque = api.token(&worker.agent, &["*"]).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    for key in [&gateway, &worker.key] {
        let opened = api.post(INIT, key, json!({ "token": opaque })).await.ok().text("session_id");
        api.check_in(key, &worker.agent, "search", &opened).await.denied("needs a proof");
    }
    // By A2A, where what is sent is checked too.
    let target = api.agent(&["*"]).await;
    let message = json!({ "messageId": "m1", "role": "ROLE_USER", "parts": [{ "text": "do it" }] });
    let sent = json!({
        "jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": { "message": message, "configuration": { "returnImmediately": true } },
    });
    let in_v1 = api.with(&[("a2a-version", "1.0")]);
    let path = format!("/a2a/agents/{target}");
    let answer = in_v1.post(&path, &worker.key, sent).await;
    assert!(answer.body.to_string().contains("needs a proof"), "{answer:?}");

    let path = format!("/api/v1/agents/{}", worker.agent);
    let body = json!({ "requires_proof": false });
    api.ask(Method::PATCH, &path, &worker.key, Some(body.clone()))
        .await
        .refused(403, "AUTH_DENIED");
    api.ask(Method::PATCH, &path, ADMIN, Some(body)).await.ok();
    api.check(&worker.key, &worker.agent, "search").await.allowed();
    let changes = api.audit("agent.changed").await;
    assert_eq!(changes.last().unwrap()["body"]["after"]["requires_proof"], false);
    let keyless = api.agent(&["*"]).await;
    let path = format!("/api/v1/agents/{keyless}");
    let body = Some(json!({ "requires_proof": true }));
    api.ask(Method::PATCH, &path, ADMIN, body)
        .await
        .refused(409, "CONFLICT")
        .says("no registered key");
}

/// Opens a session at a server that an agent has come to.
async fn opens(
    api: &Api,
    gateway: &str,
    token: &str,
    (proof, method, url): (&str, &str, &str),
) -> Answer {
    let headers = [
        ("agenttrust-dpop", proof),
        ("agenttrust-dpop-method", method),
        ("agenttrust-dpop-url", url),
    ];
    api.with(&headers).post(INIT, gateway, json!({ "token": token })).await
}

#[tokio::test]
async fn gateway_opens_a_session_from_a_bound_token_and_its_proof_and_checks_there_are_proven() {
    let api = open().await;
    let worker = Worker::able_to(&api, &["search", "files:read"]).await;
    worker.must_prove(&api).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let token = worker.token(&api).await;
    let url = "https://files.example/list";
    let mint = || mint_dpop_proof(&worker.pair.private_key_pem, "GET", url, &token).unwrap();
    let proof = mint();
    let opened = opens(&api, &gateway, &token, (&proof, "GET", url)).await.ok();
    assert_eq!(
        opened.headers["agenttrust-key-thumbprint"],
        part(&token, 1)["cnf"]["jkt"].as_str().unwrap()
    );
    assert_eq!(opened.body["scope_ceiling"], json!(["search", "files:read"]));
    let expires: agenttrust::Timestamp = opened.text("expires_at").parse().unwrap();
    assert_eq!(expires.unix_seconds(), part(&token, 1)["exp"].as_i64().unwrap());
    let session = opened.text("session_id");
    api.check_in(&gateway, &worker.agent, "search", &session).await.allowed();
    api.check_in(&gateway, &worker.agent, "db:drop", &session).await.denied("no capability");
    // It is the gateway that sees to proofs, and nobody else.
    api.check_in(&worker.key, &worker.agent, "search", &session).await.denied("needs a proof");
    api.check_in(ADMIN, &worker.agent, "search", &session).await.denied("needs a proof");
    // Asked again it is the same one, for another proof.
    refused(&opens(&api, &gateway, &token, (&proof, "GET", url)).await, "invalid_dpop_proof")
        .says("used before");
    let again = opens(&api, &gateway, &token, (&mint(), "GET", url)).await.ok();
    assert_eq!(again.text("session_id"), session);

    for (method, at) in [
        ("POST", url),
        ("GET", "https://files.example/other"),
        ("GET", "https://evil.example/list"),
    ] {
        refused(&opens(&api, &gateway, &token, (&mint(), method, at)).await, "invalid_dpop_proof");
    }
    let bare = api.post(INIT, &gateway, json!({ "token": token })).await;
    refused(&bare, "invalid_dpop_proof").says("without the proof");
    let unbound = worker.asks(&api, json!({})).await.ok().text("token");
    let for_unbound = mint_dpop_proof(&worker.pair.private_key_pem, "GET", url, &unbound).unwrap();
    refused(&opens(&api, &gateway, &unbound, (&for_unbound, "GET", url)).await, "invalid_token");
    assert_eq!(api.audit("proof.refused").await[0]["body"]["operation"], "init_session");

    let path = format!("/api/v1/agents/{}/revoke", worker.agent);
    api.post(&path, ADMIN, json!({ "reason": "gone" })).await.ok();
    api.check_in(&gateway, &worker.agent, "search", &session).await.denied("revoked");
    refused(&opens(&api, &gateway, &token, (&mint(), "GET", url)).await, "invalid_token");
}

#[tokio::test]
async fn session_of_a_workload_ends_with_the_key_that_its_token_was_issued_with() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let spare = api
        .post("/api/v1/keys", ADMIN, json!({ "role": "agent", "agents": [worker.agent] }))
        .await
        .ok();
    let by_spare =
        Worker { key: spare.text("key"), agent: worker.agent.clone(), pair: worker.pair.clone() };
    let token = by_spare.token(&api).await;
    let url = "https://files.example/list";
    let proof = mint_dpop_proof(&worker.pair.private_key_pem, "GET", url, &token).unwrap();
    let session = opens(&api, &gateway, &token, (&proof, "GET", url)).await.ok().text("session_id");
    api.check_in(&gateway, &worker.agent, "search", &session).await.allowed();
    let path = format!("/api/v1/keys/{}", spare.text("id"));
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    api.check_in(&gateway, &worker.agent, "search", &session).await.denied("was revoked");
}

#[tokio::test]
async fn nothing_is_learned_of_an_agent_out_of_reach_by_sending_its_token_along() {
    let api = open().await;
    let (worker, other) = (Worker::of(&api).await, Worker::of(&api).await);
    let theirs = other.token(&api).await;
    let url = "https://files.example/list";
    let ask = async |token: &str| {
        let proof = mint_dpop_proof(&other.pair.private_key_pem, "GET", url, token).unwrap();
        let checked = worker.checks(&api, token, &other.mint(token, URL)).await;
        let opened = opens(&api, &worker.key, token, (&proof, "GET", url)).await;
        [checked, opened].map(|answer| {
            refused(&answer, "invalid_token");
            answer.body["message"].clone()
        })
    };
    let parts: Vec<&str> = theirs.split('.').collect();
    let never = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86));
    let unknown = ask(&never).await;
    assert_eq!(ask(&theirs).await, unknown);
    let path = format!("/api/v1/agents/{}/suspend", other.agent);
    api.post(&path, ADMIN, json!({ "reason": "test" })).await.ok();
    assert_eq!(ask(&theirs).await, unknown, "suspended");
}

#[tokio::test]
async fn gateway_takes_a_token_with_an_audience_where_it_says_that_it_is_that() {
    let api = open().await;
    let worker = Worker::of(&api).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let token = worker.token_for(&api, &["https://files.example"]).await;
    let url = "https://files.example/list";
    let mint = || mint_dpop_proof(&worker.pair.private_key_pem, "GET", url, &token).unwrap();
    let answer = opens(&api, &gateway, &token, (&mint(), "GET", url)).await;
    refused(&answer, "invalid_token").says("another audience");
    let proof = mint();
    let headers = [
        ("agenttrust-dpop", proof.as_str()),
        ("agenttrust-dpop-method", "GET"),
        ("agenttrust-dpop-url", url),
        ("agenttrust-target", "https://files.example"),
    ];
    api.with(&headers).post(INIT, &gateway, json!({ "token": token })).await.ok();
}

#[tokio::test]
async fn key_of_an_agent_that_must_prove_itself_hands_on_nothing_and_fetches_nothing_without_a_proof()
 {
    let api = open().await;
    let worker = Worker::able_to(&api, &["search"]).await;
    let other = api.agent(&["x:y"]).await;
    worker.must_prove(&api).await;
    let token = worker.token(&api).await;
    let (delegations, body) = (
        "/api/v1/delegations",
        json!({ "from_agent_id": worker.agent, "to_agent_id": other, "scope": ["search"] }),
    );
    refused(&api.post(delegations, &worker.key, body.clone()).await, "invalid_dpop_proof")
        .says("needs a proof");
    let inbox = format!("/api/v1/agents/{}/inbox/next", worker.agent);
    refused(&api.post(&inbox, &worker.key, json!({})).await, "invalid_dpop_proof");
    for what in ["complete", "fail", "extend"] {
        let path = format!("/api/v1/agents/{}/inbox/task_1/{what}", worker.agent);
        let body = json!({ "lease_id": "lease_1", "reason": "none" });
        refused(&api.post(&path, &worker.key, body).await, "invalid_dpop_proof");
    }
    // With one it does, and whoever rules over agents needs none.
    let header = format!("DPoP {token}");
    for path in [delegations, &*inbox] {
        let proof = worker.mint(&token, &format!("http://localhost{path}"));
        let headers = [("authorization", header.as_str()), ("dpop", proof.as_str())];
        let body = if path == delegations { body.clone() } else { json!({}) };
        let answer = api.with(&headers).post(path, &worker.key, body.clone()).await;
        assert!([200, 204].contains(&answer.status.as_u16()), "{path}: {answer:?}");
        let again = api.with(&headers).post(path, &worker.key, body).await;
        refused(&again, "invalid_dpop_proof").says("used before");
    }
    api.post(delegations, ADMIN, body).await.ok();
    let rows = api.audit("proof.refused").await;
    assert!(rows.iter().any(|row| row["body"]["operation"] == "delegate"), "{rows:?}");
}
