//! Federation providers and their tokens as they are kept: through a restart, at every replica, and apart from the
//! tokens that agents have of us.

use std::time::Duration;

use agenttrust_guardian::GuardianBuilder;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Issuer, eventually_within};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open_with};

const PROVIDERS: &str = "/api/v1/federation/providers";
const INIT: &str = "/api/v1/federation/sessions/init";
const TOKENS: &str = "/api/v1/agent-tokens";
const GUARDIAN: &str = "https://guardian.example";

/// Returns a Guardian that reaches issuers on this machine, set as `set` says.
async fn open(set: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    open_with(|builder| set(builder.allow_outbound("127.0.0.1/32"))).await
}

/// Registers an issuer all of whose tokens are this agent; returns what is answered.
async fn registered(api: &Api, issuer: &Issuer, name: &str, agent: &str) -> Value {
    let body = json!({
        "issuer": issuer.url(), "name": name, "trust_level": "high", "audiences": [GUARDIAN],
        "rules": [{ "agent_id": agent, "claims": { "team": "a" } }],
    });
    api.post(PROVIDERS, ADMIN, body).await.ok().body
}

fn token(issuer: &Issuer) -> Value {
    json!({ "token": issuer.token("ada", json!({ "aud": GUARDIAN, "team": "a" })) })
}

fn path_of(provider: &Value) -> String {
    format!("{PROVIDERS}/{}", provider["id"].as_str().unwrap())
}

#[tokio::test]
async fn provider_and_its_sessions_are_there_after_a_restart_and_what_was_removed_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let (stays, goes) = (Issuer::start().await, Issuer::start().await);
    let api = open(|builder| builder.database(&database)).await;
    let (agent, key) = api.worker().await;
    let kept = registered(&api, &stays, "stays", &agent).await;
    let gone = registered(&api, &goes, "goes", &agent).await;
    let shown = token(&stays);
    let id = api.post(INIT, ADMIN, shown.clone()).await.ok().text("session_id");
    let ended = api.post(INIT, ADMIN, token(&goes)).await.ok().text("session_id");
    api.ask(Method::DELETE, &path_of(&gone), ADMIN, None).await.ok();
    api.guardian.close().await;

    let api = open(|builder| builder.database(&database)).await;
    assert_eq!(api.get(PROVIDERS, ADMIN).await.ok().body, json!({ "providers": [kept] }));
    let session = api.get(&format!("/mcp/sessions/{id}"), ADMIN).await.ok();
    for (member, expected) in [
        ("provider_id", &kept["id"]),
        ("issuer", &json!(stays.url())),
        ("trust_level", &json!("high")),
        ("source", &json!("federation")),
    ] {
        assert_eq!(session.body[member], *expected, "{member}");
    }
    let listed = api.get("/api/v1/sessions?state=open", ADMIN).await.ok().body;
    assert_eq!(listed["sessions"][0]["provider_id"], kept["id"], "{listed}");
    // The same token finds the same session, and one that ended stays so.
    assert_eq!(api.post(INIT, ADMIN, shown).await.ok().text("session_id"), id);
    api.check_in(&key, &agent, "files_read", &ended).await.denied("not open");
}

#[tokio::test]
async fn change_and_removal_are_in_force_at_the_other_replica_within_a_second() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let replica = |name: &str| {
        let name = name.to_owned();
        open(|builder| builder.database(fresh.url()).replica(name))
    };
    let (one, two) = (replica("one").await, replica("two").await);
    let issuer = Issuer::start().await;
    let (agent, key) = one.worker().await;
    let provider = registered(&one, &issuer, "partner", &agent).await;
    let path = path_of(&provider);
    let second = Duration::from_secs(1);
    let known = async || two.get(&path, ADMIN).await.status == 200;
    eventually_within(second, "the other replica does not know the provider", known).await;
    let id = two.post(INIT, ADMIN, token(&issuer)).await.ok().text("session_id");
    let allows = async |api: &Api| {
        api.check_in(&key, &agent, "files_read", &id).await.body["allowed"] == true
    };
    assert!(allows(&two).await);
    // Renamed, it vouches on; without its rule it does not.
    let renamed = json!({ "name": "renamed" });
    one.ask(Method::PATCH, &path, ADMIN, Some(renamed)).await.ok();
    let told = async || two.get(&path, ADMIN).await.body["name"] == "renamed";
    eventually_within(second, "the other replica was not told of the name", told).await;
    assert!(allows(&two).await);
    one.ask(Method::PATCH, &path, ADMIN, Some(json!({ "rules": [] }))).await.ok();
    let ended = async || !allows(&two).await;
    eventually_within(second, "the session goes on at the other replica", ended).await;
    two.post(INIT, ADMIN, token(&issuer)).await.refused(403, "AUTH_DENIED");
    // Its gateway goes by the new name at both.
    let gateway = async |api: &Api| {
        let keys = api.get("/api/v1/keys", ADMIN).await.ok().body;
        let keys = keys["keys"].as_array().unwrap().clone();
        keys.into_iter().find(|key| key["id"] == provider["key_id"]).unwrap()
    };
    assert_eq!(gateway(&two).await["gateway"], "federation:renamed");

    one.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    let gone = async || two.get(&path, ADMIN).await.status == 404;
    eventually_within(second, "the other replica knows the provider still", gone).await;
    assert!(!gateway(&two).await["revoked_at"].is_null());
    two.post(INIT, ADMIN, token(&issuer)).await.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn issuer_and_name_are_one_provider_each_and_an_organisation_has_fifty_at_most() {
    let api = open(|builder| builder).await;
    let agent = api.agent(&["*"]).await;
    let mut issuers = Vec::new();
    for number in 0..50 {
        issuers.push(Issuer::start().await);
        registered(&api, issuers.last().unwrap(), &format!("partner {number}"), &agent).await;
    }
    let last = Issuer::start().await;
    let body = |issuer: &Issuer, name: &str| json!({ "issuer": issuer.url(), "name": name, "audiences": [GUARDIAN] });
    let asked = async |body: Value| api.post(PROVIDERS, ADMIN, body).await;
    asked(body(&last, "one more")).await.refused(429, "TOO_MANY");
    let named = asked(body(&last, "partner 7")).await;
    named.refused(409, "CONFLICT");
    assert!(named.text("message").contains("of the name \"partner 7\""), "{named:?}");
    let taken = asked(body(&issuers[3], "another")).await;
    taken.refused(409, "CONFLICT");
    assert!(taken.text("message").contains("is registered already"), "{taken:?}");
    let refused = api.audit("federation.provider_refused").await;
    assert_eq!(refused.len(), 3, "{refused:?}");
}

#[tokio::test]
async fn token_of_one_kind_is_none_where_the_other_is_wanted() {
    let api = open(|builder| builder).await;
    let (agent, key) = api.worker().await;
    let issue = async |path: &str| {
        let body = json!({ "agent_id": agent, "scopes": ["files_read"] });
        api.post(path, &key, body).await.ok().text("token")
    };
    let own = issue("/api/v1/agent-tokens/issue").await;
    let federated = issue("/api/v1/federation/tokens/issue").await;
    assert!(own.starts_with("at_") && federated.starts_with("fed_"));
    let works = async |path: &str, token: &str, member: &str| {
        let answer = api.post(path, ADMIN, json!({ "token": token })).await.ok();
        answer.body[member] == true
    };
    let (introspect, verify) =
        ("/api/v1/agent-tokens/introspect", "/api/v1/federation/tokens/verify");
    assert!(works(introspect, &own, "active").await);
    assert!(!works(introspect, &federated, "active").await);
    assert!(works(verify, &federated, "valid").await);
    assert!(!works(verify, &own, "valid").await);
    let ask =
        async |path: &str, token: &str| api.post(path, ADMIN, json!({ "token": token })).await;
    let (revoke, revoke_federated) =
        ("/api/v1/agent-tokens/revoke", "/api/v1/federation/tokens/revoke");
    ask(revoke, &federated).await.refused(404, "NOT_FOUND");
    ask(revoke_federated, &own).await.refused(404, "NOT_FOUND");
    ask("/api/v1/agenttrust/api-sessions/init", &federated).await.refused(401, "AUTH_FAILED");
    ask(INIT, &own).await.refused(401, "AUTH_FAILED");

    let listed = api.get(TOKENS, ADMIN).await.ok().body;
    let mut kinds: Vec<_> = listed["tokens"].as_array().unwrap().iter().collect();
    kinds.sort_by_key(|token| token["kind"].to_string());
    let kinds: Vec<_> = kinds.into_iter().map(|token| token["kind"].clone()).collect();
    assert_eq!(kinds, [json!("agent"), json!("federation")]);
    ask(revoke_federated, &federated).await.ok();
    assert!(!works(verify, &federated, "valid").await && works(introspect, &own, "active").await);
}
