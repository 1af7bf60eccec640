//! Tokens of other issuers at work: what they are worth, the sessions that they open and how those end; and the opaque
//! tokens of ours beside them.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, Issuer, eventually_within};
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Api, open_with};

const PROVIDERS: &str = "/api/v1/federation/providers";
const VERIFY: &str = "/api/v1/federation/tokens/verify";
const INTROSPECT: &str = "/api/v1/federation/tokens/introspect";
const ISSUE: &str = "/api/v1/federation/tokens/issue";
const REVOKE: &str = "/api/v1/federation/tokens/revoke";
const INIT: &str = "/api/v1/federation/sessions/init";
const TEST: &str = "/api/v1/federation/test";
const API_INIT: &str = "/api/v1/agenttrust/api-sessions/init";
const GUARDIAN: &str = "https://guardian.example";
const TARGET: &str = "agenttrust-target";

/// Returns a Guardian that reaches issuers on this machine.
async fn open() -> Api {
    open_with(|builder| builder.allow_outbound("127.0.0.1/32")).await
}

/// Registers an issuer, trusted so far and with these rules; returns the id of the provider.
async fn register(api: &Api, issuer: &Issuer, level: &str, rules: Value) -> String {
    let body = json!({
        "issuer": issuer.url(), "name": "partner", "trust_level": level, "audiences": [GUARDIAN],
        "rules": rules,
    });
    let made = api.post(PROVIDERS, ADMIN, body).await;
    assert!(made.status.is_success(), "{made:?}");
    made.text("id")
}

/// Returns a token for this Guardian.
fn token(issuer: &Issuer, claims: Value) -> String {
    let mut all = json!({ "aud": GUARDIAN });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    issuer.token("alice", all)
}

async fn verify(api: &Api, key: &str, token: &str) -> Value {
    api.post(VERIFY, key, json!({ "token": token })).await.ok().body
}

async fn init(api: &Api, key: &str, token: &str) -> Answer {
    api.post(INIT, key, json!({ "token": token })).await
}

async fn issue(api: &Api, agent: &str, more: Value) -> String {
    let mut body = json!({ "agent_id": agent });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post(ISSUE, ADMIN, body).await.ok().text("token")
}

async fn remove(api: &Api, provider: &str) {
    let path = format!("{PROVIDERS}/{provider}");
    let removed = api.ask(Method::DELETE, &path, ADMIN, None).await;
    assert!(removed.status.is_success(), "{removed:?}");
}

fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn trust_level_says_how_far_a_session_goes_and_its_checks_are_held_to_it() {
    for (level, scopes, mode, ceiling) in [
        ("high", Value::Null, "open", json!([])),
        ("high", json!(["files:*"]), "restricted", json!(["files:*"])),
        ("medium", Value::Null, "supervised", json!([])),
        ("standard", json!(["files:*"]), "supervised", json!(["files:*"])),
        ("low", json!(["files:*"]), "supervised", json!(["files:*"])),
    ] {
        let (api, issuer) = (open().await, Issuer::start().await);
        let (agent, key) = api.worker().await;
        let mut rule = json!({ "agent_id": agent });
        if !scopes.is_null() {
            rule["scopes"] = scopes.clone();
        }
        let provider = register(&api, &issuer, level, json!([rule])).await;
        let session = init(&api, &key, &token(&issuer, json!({}))).await.ok();
        let said = &session.body;
        assert_eq!((&said["mode"], &said["scope_ceiling"]), (&json!(mode), &ceiling), "{level}");
        assert_eq!(said["source"], "federation");
        assert_eq!(said["agent_id"], agent);
        assert_eq!(said["provider_id"], provider);
        assert_eq!(said["issuer"], issuer.url());
        let known_as = if level == "standard" { "medium" } else { level };
        assert_eq!(said["trust_level"], known_as);

        let id = session.text("session_id");
        assert_eq!(
            api.get(&format!("/mcp/sessions/{id}"), ADMIN).await.ok().body["issuer"],
            issuer.url()
        );
        api.check_in(&key, &agent, "files_read", &id).await.allowed();
        let outside = api.check_in(&key, &agent, "mail_send", &id).await;
        match scopes.is_null() {
            true => drop(outside.allowed()),
            false => drop(outside.denied("outside the scope ceiling")),
        }
        // Held in each of them: by the default policies, and where it is supervised, whatever these say.
        api.check_in(&key, &agent, "files_delete", &id).await.held();
        let row = api.audit("session.opened").await.pop().unwrap();
        assert_eq!(row["body"]["provider_id"], provider);
    }
}

#[tokio::test]
async fn session_ends_with_the_token_or_sooner() {
    let issuer = Issuer::start().await;
    let hour = Duration::from_secs(3_600);
    let api = open_with(|builder| builder.allow_outbound("127.0.0.1/32").session_ttl(hour)).await;
    let (agent, key) = api.worker().await;
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let now = seconds_now();
    for (exp, most) in [(now + 120, now + 120), (now + 100_000, now + 3_602)] {
        let session = init(&api, &key, &token(&issuer, json!({ "exp": exp }))).await.ok();
        let ends: agenttrust::Timestamp = session.text("expires_at").parse().unwrap();
        let ends = u64::try_from(ends.unix_micros() / 1_000_000).unwrap();
        assert!(ends <= most && ends + 5 > most, "{ends} is not {most}");
    }
    // Taken after its time because clocks differ, for no longer than that.
    let late = init(&api, &key, &token(&issuer, json!({ "exp": now - 30 }))).await.ok();
    let ends: agenttrust::Timestamp = late.text("expires_at").parse().unwrap();
    assert!(ends.unix_micros() / 1_000_000 <= i64::try_from(now + 31).unwrap());
}

#[tokio::test]
async fn scopes_of_a_token_narrow_its_session_and_never_widen_it() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let agent = api.agent(&["files:*", "mail:send", "db:read"]).await;
    let rules = json!([
        { "claims": { "team": "free" }, "agent_id": agent },
        { "agent_id": agent, "scopes": ["files:*", "mail:send"] },
    ]);
    register(&api, &issuer, "high", rules).await;
    for (scope, team, ceiling) in [
        ("openid profile email", "bound", json!(["files:*", "mail:send"])),
        ("openid files:read", "bound", json!(["files:read"])),
        ("files:read db:read", "bound", json!(["files:read"])),
        ("*", "bound", json!(["files:*", "mail:send"])),
        ("db:read", "bound", json!([])),
        ("https://graph.example/*.default", "bound", json!([])),
        ("openid", "free", json!([])),
        ("files:read", "free", json!(["files:read"])),
    ] {
        let sent = token(&issuer, json!({ "scope": scope, "team": team }));
        let session = init(&api, ADMIN, &sent).await.ok();
        assert_eq!(session.body["scope_ceiling"], ceiling, "{scope}");
        let id = session.text("session_id");
        let reads = api.check_in(ADMIN, &agent, "db_read", &id).await;
        let is_open = team == "free" && scope == "openid";
        assert_eq!(reads.body["allowed"], is_open, "{scope}: {reads:?}");
        assert_eq!(session.body["mode"], if is_open { "open" } else { "restricted" }, "{scope}");
        // What the agent itself may not, no token gives it.
        api.check_in(ADMIN, &agent, "web_search", &id).await.denied("no capability");
    }
    // A claim that could be read otherwise is no scope.
    for scope in [json!(["files:read"]), json!(3), json!({})] {
        let sent = token(&issuer, json!({ "scope": scope }));
        init(&api, ADMIN, &sent).await.refused(401, "AUTH_FAILED");
    }
}

#[tokio::test]
async fn floor_of_the_agent_holds_in_every_session() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let (agent, key) = api.worker().await;
    let floor = json!({ "mode": "supervised", "scope_ceiling": ["files:read"] });
    api.put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, floor).await.ok();
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let session = init(&api, &key, &token(&issuer, json!({ "scope": "*" }))).await.ok();
    assert_eq!(session.body["mode"], "supervised");
    let id = session.text("session_id");
    api.check_in(&key, &agent, "files_read", &id).await.allowed();
    api.check_in(&key, &agent, "files_list", &id).await.denied("outside the scope ceiling");
}

#[tokio::test]
async fn token_of_no_rule_holds_and_opens_nothing() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let (agent, own) = api.worker().await;
    let rules = json!([{ "subject": "bob", "agent_id": agent }]);
    let provider = register(&api, &issuer, "high", rules).await;
    let sent = token(&issuer, json!({}));
    for path in [VERIFY, INTROSPECT] {
        let said = api.post(path, ADMIN, json!({ "token": sent })).await.ok().body;
        assert_eq!((&said["valid"], &said["active"]), (&json!(true), &json!(true)));
        assert_eq!((&said["subject"], &said["provider_id"]), (&json!("alice"), &json!(provider)));
        assert_eq!(
            (&said["issuer"], &said["audience"]),
            (&json!(issuer.url()), &json!([GUARDIAN]))
        );
        assert!(said.get("agent_id").is_none() && said.get("error").is_none(), "{said}");
    }
    init(&api, ADMIN, &sent)
        .await
        .refused(403, "AUTH_DENIED")
        .says("agenttrust federation rule add");
    let bob = issuer.token("bob", json!({ "aud": ["https://other.example", GUARDIAN] }));
    assert_eq!(verify(&api, &own, &bob).await["agent_id"], agent);
    // A key of some agents is told of these alone.
    assert_eq!(verify(&api, &own, &sent).await["valid"], false);
    let (_, other) = api.worker().await;
    assert_eq!(verify(&api, &other, &bob).await["valid"], false);
    init(&api, &other, &bob).await.refused(403, "AUTH_DENIED");
    assert!(api.audit("session.opened").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_to_the_audit_and_not_to_its_bearer() {
    let (api, issuer, stranger) = (open().await, Issuer::start().await, Issuer::start().await);
    let agent = api.agent(&["*"]).await;
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let (good, now) = (token(&issuer, json!({})), seconds_now());
    let tampered = |token: &str, part: usize| {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let bad = if parts[part].starts_with('A') { "B" } else { "A" };
        parts[part].replace_range(..1, bad);
        parts.join(".")
    };
    let expired_and_forged = tampered(&token(&issuer, json!({ "exp": now - 3_600 })), 2);
    for (sent, hint, reason) in [
        (tampered(&good, 2), None, "was not made by the issuer's key"),
        (tampered(&good, 1), None, "list of claims"),
        (token(&issuer, json!({ "aud": "https://other.example" })), None, "is for"),
        (token(&stranger, json!({})), None, "no provider of this organisation"),
        (token(&issuer, json!({ "iss": format!("{}/", issuer.url()) })), None, "no provider"),
        (good.clone(), Some(stranger.url()), "the issuer hint"),
        (token(&issuer, json!({ "nbf": now + 3_600 })), None, "is good only from"),
        (token(&issuer, json!({ "iat": now + 3_600 })), None, "still to come"),
        (token(&issuer, json!({ "exp": null })), None, "\"exp\" is missing"),
        (token(&issuer, json!({ "exp": "1" })), None, "\"exp\" is a text"),
        // Not even that it has expired is told of one that nobody signed.
        (expired_and_forged, None, "was not made by the issuer's key"),
        ("x".repeat(100_000), None, "is the most"),
        (good[..good.len() / 2].to_owned(), None, "part"),
        ("at_0123456789".to_owned(), None, "1 parts"),
        ("fed_0123456789".to_owned(), None, "does not work"),
        ("%\u{0}\n".to_owned(), None, "1 parts"),
    ] {
        let body = json!({ "token": sent, "issuer_hint": hint });
        // So many refusals of one key have a row of their own; each case has a key, and its rows.
        let key = api.key(Role::Admin, &[]).await;
        let said = api.post(VERIFY, &key, body.clone()).await.ok().body;
        let error = said["error"].as_str().unwrap();
        assert!(error.starts_with("AUTH_FAILED: the token does not work; "), "{reason}: {said}");
        assert_eq!(said, json!({ "valid": false, "active": false, "error": error }));
        let refused = api.post(INIT, &key, body).await;
        refused.refused(401, "AUTH_FAILED").says("the token does not work; ");
        let rows = api.audit("federation.token_refused").await;
        let row = rows.last().unwrap().to_string();
        assert!(
            rows.last().unwrap()["body"]["reason"].as_str().unwrap().contains(reason),
            "{reason}: {row}"
        );
        assert!(sent.len() < 20 || !row.contains(&sent[sent.len() / 2..]), "{row}");
    }
    let expired = token(&issuer, json!({ "exp": now - 3_600 }));
    let said = verify(&api, ADMIN, &expired).await;
    assert!(said["error"].as_str().unwrap().starts_with("TOKEN_EXPIRED: "), "{said}");
    init(&api, ADMIN, &expired).await.refused(401, "TOKEN_EXPIRED");
    api.post(VERIFY, ADMIN, json!({ "token": "" })).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn keys_that_are_rotated_while_sessions_are_made_fail_none_of_them() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let agent = api.agent(&["*"]).await;
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let read = issuer.keys_read();
    for round in 0..4 {
        let before = token(&issuer, json!({ "jti": format!("{round} old") }));
        init(&api, ADMIN, &before).await.ok();
        issuer.rotate();
        let made = (0..20).map(|n| {
            let sent = token(&issuer, json!({ "jti": format!("{round} {n}") }));
            let api = &api;
            async move { init(api, ADMIN, &sent).await.ok().text("session_id") }
        });
        join_all(made).await;
        // The key that is gone signs for no one.
        init(&api, ADMIN, &before).await.refused(401, "AUTH_FAILED");
    }
    // One for each rotation, and one for each token by a key that is gone.
    assert_eq!(issuer.keys_read() - read, 8);
}

#[tokio::test]
async fn issuer_that_is_down_ends_nothing_that_it_has_said_before() {
    let (api, mut issuer) = (open().await, Issuer::start().await);
    let agent = api.agent(&["*"]).await;
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let known = token(&issuer, json!({}));
    issuer.rotate();
    let unknown = token(&issuer, json!({}));
    issuer.stop().await;
    init(&api, ADMIN, &known).await.ok();
    // Of a key that is not known nothing can be said: that is no refusal.
    for path in [VERIFY, INIT] {
        let answer = api.post(path, ADMIN, json!({ "token": unknown })).await;
        answer.refused(503, "UNAVAILABLE").says("nothing was decided");
    }
    let rows = api.audit("federation.token_refused").await;
    assert!(rows.last().unwrap().to_string().contains("cannot be read at present"), "{rows:?}");
    issuer.resume().await;
    let comes = async || verify(&api, ADMIN, &unknown).await["valid"] == true;
    eventually_within(Duration::from_secs(10), "it is not read again", comes).await;
}

#[tokio::test]
async fn one_token_is_one_session_for_each_key() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let (agent, key) = api.worker().await;
    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let sent = token(&issuer, json!({}));
    let at_once = (0..20).map(|_| async { init(&api, &key, &sent).await.ok().text("session_id") });
    let mut opened = join_all(at_once).await;
    opened.dedup();
    assert_eq!(opened.len(), 1, "{opened:?}");
    let by_other = init(&api, ADMIN, &sent).await.ok().text("session_id");
    assert_ne!(by_other, opened[0]);
    let of_other = token(&issuer, json!({ "jti": "2" }));
    assert_ne!(init(&api, &key, &of_other).await.ok().text("session_id"), opened[0]);
    // What ended is not opened by being asked for again: another one is.
    api.post(&format!("/api/v1/sessions/{}/revoke", opened[0]), ADMIN, json!({})).await.ok();
    assert_ne!(init(&api, &key, &sent).await.ok().text("session_id"), opened[0]);
    assert_eq!(api.audit("session.opened").await.len(), 4);
}

#[tokio::test]
async fn session_ends_with_its_provider_its_agent_and_its_key() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let (agent, _) = api.worker().await;
    let provider = register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let sent = token(&issuer, json!({}));
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "agent", "agents": [agent] })).await;
    let (key, key_id) = (made.text("key"), made.text("id"));
    let by_key = init(&api, &key, &sent).await.ok().text("session_id");
    let by_admin = init(&api, ADMIN, &sent).await.ok().text("session_id");
    let allows = async |id: &str| {
        let checked = api.check_in(ADMIN, &agent, "files_read", id).await;
        checked.body["allowed"] == true
    };
    assert!(allows(&by_key).await && allows(&by_admin).await);

    // Suspended, nobody acts as it; neither does its token open anything.
    api.post(&format!("/api/v1/agents/{agent}/suspend"), ADMIN, json!({})).await.ok();
    assert!(!allows(&by_admin).await);
    init(&api, ADMIN, &token(&issuer, json!({ "jti": "2" }))).await.refused(403, "AUTH_DENIED");
    assert_eq!(verify(&api, ADMIN, &sent).await["valid"], false);
    api.post(&format!("/api/v1/agents/{agent}/reactivate"), ADMIN, json!({})).await.ok();
    assert!(allows(&by_admin).await);

    let path = format!("/api/v1/keys/{key_id}");
    let with_all = json!({ "issued": "revoke" });
    api.ask(Method::DELETE, &path, ADMIN, Some(with_all)).await.ok();
    assert!(!allows(&by_key).await && allows(&by_admin).await);

    remove(&api, &provider).await;
    assert!(!allows(&by_admin).await);
    init(&api, ADMIN, &sent).await.refused(401, "AUTH_FAILED");

    register(&api, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let anew = init(&api, ADMIN, &sent).await.ok().text("session_id");
    assert!(allows(&anew).await);
    api.post(&format!("/api/v1/agents/{agent}/revoke"), ADMIN, json!({ "reason": "x" })).await.ok();
    assert!(!allows(&anew).await);
    init(&api, ADMIN, &sent).await.refused(403, "AGENT_REVOKED");
}

#[tokio::test]
async fn opaque_token_speaks_for_its_agent_where_it_is_for_and_until_it_is_revoked() {
    let api = open().await;
    let agent = api.agent(&["files:*", "mail:send"]).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let more =
        json!({ "scopes": ["files:read"], "audience": "https://partner.example", "ttl": 600 });
    let sent = issue(&api, &agent, more).await;
    assert!(sent.starts_with("fed_"));
    let at = |target| api.with(&[(TARGET, target)]);
    let body = json!({ "token": sent });
    let said = at("https://partner.example").post(VERIFY, &gateway, body.clone()).await.ok().body;
    assert_eq!((&said["valid"], &said["agent_id"]), (&json!(true), &json!(agent)));
    assert_eq!(
        (&said["scopes"], &said["audience"]),
        (&json!(["files:read"]), &json!(["https://partner.example"]))
    );
    // A gateway that does not say where it is asks for another audience.
    assert_eq!(verify(&api, &gateway, &sent).await["valid"], false);
    let elsewhere = at("https://other.example").post(VERIFY, &gateway, body.clone()).await.ok();
    assert_eq!(elsewhere.body["valid"], false);

    init(&api, &gateway, &sent).await.refused(401, "AUTH_FAILED");
    let session = at("https://partner.example").post(INIT, &gateway, body.clone()).await.ok();
    assert_eq!(session.body["source"], "federation");
    assert_eq!(session.body["mode"], "restricted");
    assert_eq!(session.body["scope_ceiling"], json!(["files:read"]));
    let again = at("https://partner.example").post(INIT, &gateway, body.clone()).await.ok();
    let id = session.text("session_id");
    assert_eq!(again.text("session_id"), id);
    api.check_in(&gateway, &agent, "files_read", &id).await.allowed();
    api.check_in(&gateway, &agent, "mail_send", &id).await.denied("outside the scope ceiling");

    // Neither kind passes for the other.
    api.post(API_INIT, ADMIN, body.clone()).await.refused(401, "AUTH_FAILED");
    api.post("/api/v1/agent-tokens/revoke", ADMIN, body.clone()).await.refused(404, "NOT_FOUND");
    let own = api.token(&agent, &["files:read"]).await;
    init(&api, ADMIN, &own).await.refused(401, "AUTH_FAILED");
    api.post(REVOKE, ADMIN, json!({ "token": own })).await.refused(404, "NOT_FOUND");
    assert_eq!(verify(&api, ADMIN, &own).await["valid"], false);

    let listed = api.get("/api/v1/agent-tokens", ADMIN).await.ok().body;
    let kinds = listed["tokens"].as_array().unwrap().iter().map(|it| it["kind"].clone());
    assert!(kinds.collect::<Vec<_>>().contains(&json!("federation")), "{listed}");
    assert!(!listed.to_string().contains(&sent));

    api.post(REVOKE, ADMIN, body).await.ok();
    assert_eq!(verify(&api, ADMIN, &sent).await["valid"], false);
    api.check_in(&gateway, &agent, "files_read", &id).await.denied("session");
}

#[tokio::test]
async fn opaque_token_without_scopes_carries_what_its_agent_may_when_it_is_issued() {
    let api = open().await;
    let agent = api.agent(&["files:*", "mail:send"]).await;
    let sent = issue(&api, &agent, json!({})).await;
    assert_eq!(verify(&api, ADMIN, &sent).await["scopes"], json!(["files:*", "mail:send"]));
    let path = format!("/api/v1/agents/{agent}");
    let wider = json!({ "capabilities": ["files:*", "mail:send", "db:read"] });
    api.ask(Method::PATCH, &path, ADMIN, Some(wider)).await.ok();
    assert_eq!(verify(&api, ADMIN, &sent).await["scopes"], json!(["files:*", "mail:send"]));
    let narrower = json!({ "capabilities": ["mail:send"] });
    api.ask(Method::PATCH, &path, ADMIN, Some(narrower)).await.ok();
    assert_eq!(verify(&api, ADMIN, &sent).await["scopes"], json!(["mail:send"]));
    let floor = json!({ "mode": "restricted", "scope_ceiling": ["web:search"] });
    api.put(&format!("{path}/floor"), ADMIN, floor).await.ok();
    let nothing = issue(&api, &agent, json!({})).await;
    assert!(verify(&api, ADMIN, &nothing).await.get("scopes").is_none());

    for (more, code) in [
        (json!({ "scopes": ["db:write"] }), 403),
        (json!({ "ttl": 0 }), 400),
        (json!({ "ttl": 86_401 }), 400),
        (json!({ "audience": "a\u{0}" }), 400),
        (json!({ "scopes": "files:read" }), 400),
    ] {
        let mut body = json!({ "agent_id": agent });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(api.post(ISSUE, ADMIN, body).await.status, code, "{more}");
    }
}

#[tokio::test]
async fn trial_of_a_token_says_each_step_and_leaves_nothing_behind() {
    let (api, issuer) = (open().await, Issuer::start().await);
    let agent = api.agent(&["*"]).await;
    let rules = json!([{ "subject": "bob", "agent_id": agent }, { "claims": { "team": "a" }, "agent_id": agent }]);
    register(&api, &issuer, "medium", rules).await;
    let auditor = api.key(Role::Auditor, &[]).await;
    let test = async |token: &str| {
        let told = api.post(TEST, &auditor, json!({ "token": token })).await.ok().body;
        let steps = told["steps"].as_array().unwrap().clone();
        let last = steps.last().unwrap();
        let (step, says) = (last["step"].as_str().unwrap(), last["says"].as_str().unwrap());
        assert_eq!(last["ok"], told["ok"], "{told}");
        (step.to_owned(), says.to_owned(), told)
    };
    let (step, says, told) =
        test(&token(&issuer, json!({ "team": ["a", "b"], "scope": "files:read" }))).await;
    assert_eq!(step, "session", "{says}");
    assert_eq!((&told["agent_id"], &told["mode"]), (&json!(agent), &json!("supervised")));
    assert_eq!(told["scope_ceiling"], json!(["files:read"]));
    assert!(told.to_string().contains("rule 2"), "{told}");
    for (sent, at, because) in [
        ("x".to_owned(), "token", "parts"),
        (token(&issuer, json!({ "iss": "https://other.example" })), "provider", "no provider"),
        (token(&issuer, json!({ "aud": "me" })), "claims", "is for"),
        (token(&issuer, json!({ "exp": 1 })), "claims", "expired at"),
        (token(&issuer, json!({})), "rule", "no rule"),
        ("fed_x".to_owned(), "token", "does not work"),
    ] {
        let (step, says, _) = test(&sent).await;
        assert_eq!(step, at, "{says}");
        assert!(says.contains(because), "{says}");
    }
    let ours = issue(&api, &agent, json!({ "scopes": ["files:read"] })).await;
    assert_eq!(test(&ours).await.0, "scopes");
    assert!(api.audit("session.opened").await.is_empty());
    assert!(api.audit("federation.token_refused").await.is_empty());
    assert_eq!(api.audit("federation.tested").await.len(), 8);
    let (_, own) = api.worker().await;
    api.post(TEST, &own, json!({ "token": "x" })).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn session_of_one_replica_is_one_of_the_other_and_ends_there_too() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open_with(|builder| {
            builder.allow_outbound("127.0.0.1/32").database(fresh.url()).replica(name)
        })
    };
    let (one, two) = (replica("one").await, replica("two").await);
    let issuer = Issuer::start().await;
    let (agent, key) = one.worker().await;
    let provider = register(&one, &issuer, "high", json!([{ "agent_id": agent }])).await;
    let sent = token(&issuer, json!({}));
    let id = init(&one, &key, &sent).await.ok().text("session_id");
    let allows = async || {
        let checked = two.check_in(&key, &agent, "files_read", &id).await;
        checked.body["allowed"] == true
    };
    let second = Duration::from_secs(1);
    eventually_within(second, "the session is not known at the other replica", allows).await;
    assert_eq!(init(&two, &key, &sent).await.ok().text("session_id"), id);
    let ours = issue(&one, &agent, json!({})).await;
    let works = async || verify(&two, ADMIN, &ours).await["valid"] == true;
    eventually_within(second, "the token is not known at the other replica", works).await;

    remove(&one, &provider).await;
    let ended = async || !allows().await;
    eventually_within(second, "the session goes on at the other replica", ended).await;
    init(&two, &key, &sent).await.refused(401, "AUTH_FAILED");
}
