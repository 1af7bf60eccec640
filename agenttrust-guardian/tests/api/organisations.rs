//! Several organisations in one Guardian: none reaches what is another's, nor learns that it is there.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

const THEIRS: &str = "org_theirs";

/// One thing of each kind, of the organisation whose admin this is.
struct Things {
    agent: String,
    token: String,
    session: String,
    approval: String,
    key_id: String,
    check_id: String,
}

async fn things(api: &Api, admin: &str) -> Things {
    let body = json!({ "name": "worker", "capabilities": ["*"] });
    let agent = api.post("/api/v1/agents", admin, body).await.ok().text("id");
    let body = json!({ "agent_id": agent, "scopes": ["*"] });
    let token = api.post("/api/v1/agent-tokens/issue", admin, body).await.ok().text("token");
    let session = api.session(admin, &agent, json!({})).await.ok().text("session_id");
    let approval = api.check_in(admin, &agent, "db_delete", &session).await.held();
    let check_id = api.check_in(admin, &agent, "search", &session).await.ok().text("check_id");
    let made = api.post("/api/v1/keys", admin, json!({ "role": "auditor" })).await.ok();
    let tools = json!({ "tools": [{ "name": "frob", "effect": "read" }] });
    api.put("/api/v1/tools", admin, tools).await.ok();
    Things { agent, token, session, approval, key_id: made.text("id"), check_id }
}

/// Requests that name what is of one organisation, and the status with which each is answered to another.
fn requests(of: &Things) -> Vec<(Method, String, Option<Value>, u16)> {
    let Things { agent, token, session, approval, key_id, .. } = of;
    let get = |path: String| (Method::GET, path, None, 404);
    let put = |path: String, body: Value| (Method::PUT, path, Some(body), 404);
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), Some(body), 404);
    let act = |path: String| (Method::POST, path, Some(json!({})), 404);
    let tokens = "/api/v1/agent-tokens";
    let init = "/api/v1/agenttrust/api-sessions/init".to_owned();
    vec![
        get(format!("/api/v1/agents/{agent}")),
        (Method::PATCH, format!("/api/v1/agents/{agent}"), Some(json!({ "name": "x" })), 404),
        act(format!("/api/v1/agents/{agent}/revoke")),
        act(format!("/api/v1/agents/{agent}/suspend")),
        act(format!("/api/v1/agents/{agent}/reactivate")),
        put(format!("/api/v1/agents/{agent}/floor"), json!({ "mode": "open" })),
        post(&format!("{tokens}/issue"), json!({ "agent_id": agent, "scopes": [] })),
        post(&format!("{tokens}/revoke"), json!({ "token": token, "reason": "" })),
        (Method::POST, init, Some(json!({ "token": token })), 401),
        post("/mcp/sessions/init", json!({ "agent_id": agent, "server_id": "files" })),
        get(format!("/mcp/sessions/{session}")),
        post("/api/v1/agenttrust/check", json!({ "agent_id": agent, "action_name": "search" })),
        post(
            "/api/v1/telemetry/report",
            json!({ "agent_id": agent, "session_id": session, "events": [] }),
        ),
        get(format!("/mcp/approvals/{approval}")),
        act(format!("/mcp/approvals/{approval}/approve")),
        act(format!("/mcp/approvals/{approval}/deny")),
        put(format!("/mcp/approvals/{approval}/input"), json!({ "input": 1, "r": "00" })),
        act(format!("/api/v1/keys/{key_id}/rotate")),
        (Method::DELETE, format!("/api/v1/keys/{key_id}"), None, 404),
    ]
}

/// Whoever tries has `key`, of another organisation than `of`'s.
async fn reaches_nothing(api: &Api, key: &str, of: &Things) {
    for (method, path, body, expected) in requests(of) {
        let answer = api.ask(method.clone(), &path, key, body).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path}: {answer:?}");
    }
    let body = json!({ "token": of.token });
    let looked = api.post("/api/v1/agent-tokens/introspect", key, body).await.ok();
    assert_eq!(looked.body["active"], false, "{looked:?}");
}

/// What the lists of this admin show, as one text.
async fn seen(api: &Api, admin: &str) -> String {
    let mut seen = String::new();
    for path in [
        "/api/v1/agents",
        "/mcp/approvals",
        "/api/v1/keys",
        "/api/v1/tools",
        "/api/v1/audit?limit=1000",
        "/api/v1/audit/export",
    ] {
        seen.push_str(&api.get(path, admin).await.ok().body.to_string());
    }
    seen
}

async fn organisations_are_kept_apart(api: Api) {
    let admin = api.guardian.create_key_in(THEIRS, Role::Admin, &[]).await.unwrap();
    let (ours, theirs) = (things(&api, ADMIN).await, things(&api, &admin).await);
    reaches_nothing(&api, &admin, &ours).await;
    reaches_nothing(&api, ADMIN, &theirs).await;

    let (we_see, they_see) = (seen(&api, ADMIN).await, seen(&api, &admin).await);
    for (mine, others, sees) in [(&ours, &theirs, we_see), (&theirs, &ours, they_see)] {
        for id in [&mine.agent, &mine.session, &mine.approval, &mine.key_id] {
            assert!(sees.contains(id.as_str()), "{id} is not seen by those whose it is");
        }
        for id in
            [&others.agent, &others.session, &others.approval, &others.key_id, &others.check_id]
        {
            assert!(!sees.contains(id.as_str()), "{id} is seen by others");
        }
    }

    // What one organisation says of a tool says nothing in another.
    api.put("/api/v1/tools/frob/effect", &admin, json!({ "effect": "admin" })).await.ok();
    api.check(ADMIN, &ours.agent, "frob").await.allowed();
    api.check(&admin, &theirs.agent, "frob").await.held();

    // A key of one is bound to agents of it alone.
    let body = json!({ "role": "agent", "agents": [ours.agent] });
    api.post("/api/v1/keys", &admin, body).await.refused(400, "VALIDATION_ERROR");
    // A gateway of one opens no session from a token of another.
    let gateway = api.guardian.create_key_in(THEIRS, Role::Gateway, &[]).await.unwrap();
    let body = json!({ "token": ours.token });
    api.post("/api/v1/agenttrust/api-sessions/init", &gateway, body)
        .await
        .refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn organisations_are_kept_apart_on_sqlite() {
    organisations_are_kept_apart(open().await).await;
}

#[tokio::test]
async fn organisations_are_kept_apart_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    organisations_are_kept_apart(open_with(|builder| builder.database(fresh.url())).await).await;
}

#[tokio::test]
async fn admins_of_the_guardians_own_organisation_look_after_the_keys_of_all() {
    let api = open().await;
    let first = json!({ "role": "admin", "org_id": THEIRS });
    let made = api.post("/api/v1/keys", ADMIN, first).await.ok();
    assert_eq!(made.body["org_id"], THEIRS);
    let (admin, id) = (made.text("key"), made.text("id"));
    assert_eq!(api.get("/api/v1/agents", &admin).await.ok().body["agents"], json!([]));
    let listed = api.get(&format!("/api/v1/keys?org_id={THEIRS}"), ADMIN).await.ok();
    let ids: Vec<&Value> =
        listed.body["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&json!(id)]);
    // Others look after their own alone.
    for org_id in ["org_default", "org_third"] {
        let body = json!({ "role": "admin", "org_id": org_id });
        api.post("/api/v1/keys", &admin, body).await.refused(403, "AUTH_DENIED");
        let path = format!("/api/v1/keys?org_id={org_id}");
        api.get(&path, &admin).await.refused(403, "AUTH_DENIED");
    }
    let rotated = json!({ "overlap": 0, "org_id": THEIRS });
    let path = format!("/api/v1/keys/{id}/rotate");
    let fresh = api.post(&path, ADMIN, rotated).await.ok().text("key");
    api.get("/api/v1/agents", &admin).await.refused(401, "AUTH_FAILED");
    api.get("/api/v1/agents", &fresh).await.ok();
    let path = format!("/api/v1/keys/{id}?org_id={THEIRS}");
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    api.get("/api/v1/agents", &fresh).await.refused(401, "AUTH_FAILED");
}
