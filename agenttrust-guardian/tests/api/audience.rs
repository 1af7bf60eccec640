//! Where a token is taken: one for certain servers, at those and nowhere else; and whom a session that a
//! gateway opened serves.

use agenttrust::client::ApiSessionOptions;
use agenttrust::model::{CreateKeyRequest, KeyRole};
use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Api, open};

const INIT: &str = "/api/v1/agenttrust/api-sessions/init";
const INTROSPECT: &str = "/api/v1/agent-tokens/introspect";
const TARGET: &str = "agenttrust-target";

async fn gateway(api: &Api, name: &str) -> String {
    let body = json!({ "role": "gateway", "gateway": name });
    api.post("/api/v1/keys", ADMIN, body).await.ok().text("key")
}

/// Returns a token of this agent for these servers.
async fn token_for(api: &Api, agent: &str, audience: &[&str]) -> String {
    let body = json!({ "agent_id": agent, "scopes": ["search"], "audience": audience });
    api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
}

async fn init(api: &Api, key: &str, headers: &[(&str, &str)], token: &str) -> Answer {
    api.with(headers).post(INIT, key, json!({ "token": token })).await
}

async fn is_active(api: &Api, key: &str, token: &str, target: Option<&str>) -> bool {
    let body = json!({ "token": token, "target": target });
    api.post(INTROSPECT, key, body).await.ok().body["active"] == true
}

/// Returns the sessions that there are.
async fn sessions(api: &Api) -> usize {
    let listed = api.get("/api/v1/sessions", ADMIN).await.ok();
    listed.body["sessions"].as_array().unwrap().len()
}

#[tokio::test]
async fn token_for_one_server_becomes_a_session_at_no_other() {
    let api = open().await;
    let (agent, own) = api.worker().await;
    let token = token_for(&api, &agent, &["server-a", "käse"]).await;
    let nameless = api.key(Role::Gateway, &[]).await;
    let (one, two) = (gateway(&api, "server-a").await, gateway(&api, "server-a").await);
    let other = gateway(&api, "server-b").await;

    let long = "x".repeat(10_000);
    for (key, headers) in [
        (&nameless, vec![]),
        (&nameless, vec![(TARGET, "")]),
        (&nameless, vec![(TARGET, "server-b")]),
        (&nameless, vec![(TARGET, "server-A")]),
        (&nameless, vec![(TARGET, "server-a,server-b")]),
        (&other, vec![]),
        (&other, vec![(TARGET, "")]),
        (&other, vec![(TARGET, "server-b")]),
    ] {
        init(&api, key, &headers, &token).await.refused(401, "AUTH_FAILED");
    }
    for headers in [vec![(TARGET, long.as_str())], vec![(TARGET, "server-a"), (TARGET, "server-a")]]
    {
        let answer = init(&api, &nameless, &headers, &token).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], TARGET, "{answer:?}");
    }
    assert_eq!(sessions(&api).await, 0, "nothing is opened for those who are refused");

    for (key, headers) in [
        (one.as_str(), vec![]),
        (&two, vec![]),
        // What the key says holds beside what the header does.
        (&one, vec![(TARGET, "server-b")]),
        (&nameless, vec![(TARGET, "server-a")]),
        (&nameless, vec![(TARGET, " server-a ")]),
        (&other, vec![(TARGET, "käse")]),
        (&own, vec![]),
        (ADMIN, vec![]),
    ] {
        init(&api, key, &headers, &token).await.ok();
    }
}

#[tokio::test]
async fn token_without_an_audience_is_for_every_server() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = token_for(&api, &agent, &[]).await;
    for key in [api.key(Role::Gateway, &[]).await, gateway(&api, "server-a").await] {
        init(&api, &key, &[], &token).await.ok();
        init(&api, &key, &[(TARGET, "anywhere")], &token).await.ok();
        assert!(is_active(&api, &key, &token, None).await);
        assert!(is_active(&api, &key, &token, Some("anywhere")).await);
    }
}

#[tokio::test]
async fn token_for_one_server_is_active_for_that_target_and_no_other() {
    let api = open().await;
    let (agent, own) = api.worker().await;
    let token = token_for(&api, &agent, &["server-a"]).await;
    let (here, other) = (gateway(&api, "server-a").await, gateway(&api, "server-b").await);
    let nameless = api.key(Role::Gateway, &[]).await;
    let auditor = api.key(Role::Auditor, &[]).await;
    for key in [&here, &other, &nameless, &auditor, &own, &ADMIN.to_owned()] {
        assert!(is_active(&api, key, &token, Some("server-a")).await);
        assert!(!is_active(&api, key, &token, Some("server-b")).await);
    }
    // Where nobody says which target: the key's own, and anywhere for the token's agent and an admin.
    for (key, active) in [
        (here.as_str(), true),
        (&other, false),
        (&nameless, false),
        (&auditor, false),
        (&own, true),
        (ADMIN, true),
    ] {
        assert_eq!(is_active(&api, key, &token, None).await, active, "{key}");
        assert_eq!(is_active(&api, key, &token, Some("")).await, active, "{key}");
    }
}

#[tokio::test]
async fn gateway_of_another_organisation_has_only_the_name_in_common() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = token_for(&api, &agent, &["server-a"]).await;
    let body = json!({ "role": "gateway", "gateway": "server-a", "org_id": "org_theirs" });
    let theirs = api.post("/api/v1/keys", ADMIN, body).await.ok().text("key");
    init(&api, &theirs, &[(TARGET, "server-a")], &token).await.refused(401, "AUTH_FAILED");
    assert!(!is_active(&api, &theirs, &token, Some("server-a")).await);
    let here = gateway(&api, "server-a").await;
    let session = init(&api, &here, &[], &token).await.ok().text("session_id");
    api.check_in(&theirs, &agent, "search", &session).await.refused(404, "NOT_FOUND");
    api.get(&format!("/mcp/sessions/{session}"), &theirs).await.refused(404, "NOT_FOUND");
    let listed = api.get("/api/v1/sessions", &theirs).await.ok();
    assert_eq!(listed.body, json!({ "sessions": [] }));
}

#[tokio::test]
async fn session_that_one_gateway_opened_serves_no_other_that_learned_its_id() {
    let api = open().await;
    let (agent, own) = api.worker().await;
    let token = token_for(&api, &agent, &[]).await;
    let nameless = [api.key(Role::Gateway, &[]).await, api.key(Role::Gateway, &[]).await];
    let named = [gateway(&api, "server-a").await, gateway(&api, "server-a").await];
    let other = gateway(&api, "server-b").await;

    let reads = async |key: &str, session: &str| {
        let read = api.get(&format!("/mcp/sessions/{session}"), key).await.status.is_success();
        let listed = api.get("/api/v1/sessions", key).await.ok();
        let listed = listed.body["sessions"].as_array().unwrap().iter();
        let listed = listed.filter(|it| it["session_id"] == session).count() == 1;
        assert_eq!(read, listed, "what is read by its id is listed, and nothing else");
        read
    };
    let first = init(&api, &nameless[0], &[], &token).await.ok().text("session_id");
    api.check_in(&nameless[0], &agent, "search", &first).await.allowed();
    assert!(reads(&nameless[0], &first).await);
    for key in [&nameless[1], &named[0], &other] {
        api.check_in(key, &agent, "search", &first).await.denied("not opened by this gateway");
        assert!(!reads(key, &first).await);
    }
    let second = init(&api, &named[0], &[], &token).await.ok().text("session_id");
    for key in &named {
        api.check_in(key, &agent, "search", &second).await.allowed();
        assert!(reads(key, &second).await);
    }
    for key in [&nameless[0], &other] {
        api.check_in(key, &agent, "search", &second).await.denied("not opened by this gateway");
        assert!(!reads(key, &second).await);
    }
    // Nor does one that the agent or an admin opened: a gateway is shown the token.
    for key in [own.as_str(), ADMIN] {
        let session = init(&api, key, &[], &token).await.ok().text("session_id");
        api.check_in(&other, &agent, "search", &session).await.denied("not opened by this gateway");
        assert!(!reads(&other, &session).await);
    }
    // Those whom it is about, and those who may read everything, see it still.
    let auditor = api.key(Role::Auditor, &[]).await;
    for key in [own.as_str(), &auditor, ADMIN] {
        assert!(reads(key, &second).await);
    }
}

#[tokio::test]
async fn name_of_a_gateway_outlives_the_key_that_opened_a_session() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = token_for(&api, &agent, &["server-a"]).await;
    let body = json!({ "role": "gateway", "gateway": "server-a" });
    let old = api.post("/api/v1/keys", ADMIN, body).await.ok();
    let new = gateway(&api, "server-a").await;
    let session = init(&api, &old.text("key"), &[], &token).await.ok().text("session_id");
    let path = format!("/api/v1/keys/{}", old.text("id"));
    api.ask(axum::http::Method::DELETE, &path, ADMIN, None).await.ok();
    api.check_in(&new, &agent, "search", &session).await.allowed();
}

#[tokio::test]
async fn gateway_is_a_name_and_of_gateways_only() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let rows = api.audit_rows().await;
    let long = "x".repeat(201);
    for name in [json!(""), json!("a\nb"), json!("\u{1b}[31m"), json!(long), json!(7), json!(["a"])]
    {
        let body = json!({ "role": "gateway", "gateway": name });
        let answer = api.post("/api/v1/keys", ADMIN, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], "gateway", "{answer:?}");
    }
    for (role, agents) in [("agent", vec![&agent]), ("auditor", vec![]), ("admin", vec![])] {
        let body = json!({ "role": role, "agents": agents, "gateway": "server-a" });
        let answer = api.post("/api/v1/keys", ADMIN, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], "gateway", "{answer:?}");
    }
    assert_eq!(api.audit_rows().await, rows);
    gateway(&api, "server-a").await;
    api.key(Role::Gateway, &[]).await;
    let listed = api.get("/api/v1/keys", ADMIN).await.ok();
    let names: Vec<&Value> =
        listed.body["keys"].as_array().unwrap().iter().map(|key| &key["gateway"]).collect();
    assert_eq!(names, [&Value::Null, &json!("server-a"), &Value::Null]);
    assert_eq!(api.audit("key.created").await[1]["body"]["gateway"], "server-a");
}

#[tokio::test]
async fn target_travels_whatever_script_it_is_written_in() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    let token = token_for(&api, &agent, &["käse-服务器"]).await;
    let request = CreateKeyRequest::new(KeyRole::Gateway).gateway("server-a");
    let made = api.guardian.client().keys().create(&request).await.unwrap();
    assert_eq!(made.gateway.as_deref(), Some("server-a"));
    let key = made.key.unwrap();
    let client = api.guardian.client_with_key(key.as_str()).unwrap();
    let refused = client.sessions().init_api_session(&token).await.unwrap_err();
    assert_eq!(refused.status(), Some(401), "{refused}");
    let options = ApiSessionOptions::default().target("käse-服务器");
    let session = client.sessions().init_api_session_with(&token, &options).await.unwrap();
    assert_eq!(session.gateway.as_deref(), Some("server-a"));
    // What is no text at all is named, and nothing else happens.
    let body = Body::from(json!({ "token": token }).to_string());
    let request =
        Request::post(INIT).header("X-API-Key", key.as_str()).header(TARGET, &b"\xff"[..]);
    let answer = api.send(request.body(body).unwrap()).await;
    answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(answer.body["details"]["field"], TARGET, "{answer:?}");
}
