//! What holds for an agent holds for those who act for it, however they come by what was delegated.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::json;

use crate::delegations::{DELEGATIONS, ask, begun, chain_of, give, revoke, session_is_gone, under};
use crate::support::{open, open_with};

#[tokio::test]
async fn policies_budgets_and_effects_of_the_givers_hold_for_those_who_act_for_them() {
    const POLICIES: &str = r#"
        permit (principal, action, resource);
        @id("not-ops") forbid (principal in Group::"ops", action, resource == Tool::"wipe");
        @id("two") @elevate @quorum("2") forbid (principal in Group::"ops", action, resource == Tool::"pay_out")
        unless { context.approved };
        @id("some") @limit("2/1h") permit (principal in Group::"ops", action, resource == Tool::"look");
    "#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.cedar"), POLICIES).unwrap();
    let api = open_with(|builder| builder.policies(folder.path())).await;
    let body = json!({ "name": "root", "capabilities": ["*"], "metadata": { "groups": ["ops"] } });
    let root = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
    let bot = api.agent(&[]).await;
    let key = api.key(Role::Agent, &[&root]).await;
    let tools = json!({ "tools": [{ "name": "find", "effect": "admin" }] });
    api.put("/api/v1/tools", &key, tools).await.ok();
    let made = ask(&api, &key, (&root, &bot), &["*"], json!({})).await.ok();
    let session = begun(&api, made.body["delegation"]["id"].as_str().unwrap()).await;
    let own = api.key(Role::Agent, &[&bot]).await;
    let asks = async |tool: &str| api.check_in(&own, &bot, tool, &session).await;
    asks("wipe").await.denied("for agent \"root\"");
    let held = asks("pay_out").await.held();
    let approval = api.get(&format!("/mcp/approvals/{held}"), ADMIN).await.ok();
    assert_eq!(approval.body["quorum"], 2);
    // What the root raised is raised for who acts for it.
    let found = asks("find").await;
    assert_eq!(found.body["allowed"], true, "{found:?}");
    let rows = api.audit("decision").await;
    let row = rows.iter().find(|row| row["body"]["tool"] == "find").unwrap();
    assert_eq!(row["body"]["effect"], "admin");
    api.check(&key, &root, "look").await.allowed();
    asks("look").await.allowed();
    asks("look").await.denied("used up");
    api.check(&key, &root, "look").await.denied("used up");
}

#[tokio::test]
async fn who_made_the_delegation_does_not_approve_what_is_done_under_it() {
    let api = open().await;
    let (root, bot) = (api.agent(&["*"]).await, api.agent(&[]).await);
    let (maker, other) = (api.key(Role::Operator, &[]).await, api.key(Role::Operator, &[]).await);
    let made = ask(&api, &maker, (&root, &bot), &["db_delete"], json!({})).await.ok();
    let session = begun(&api, made.body["delegation"]["id"].as_str().unwrap()).await;
    let own = api.key(Role::Agent, &[&bot]).await;
    let held = api.check_in(&own, &bot, "db_delete", &session).await.held();
    let approve =
        async |key: &str| api.post(&format!("/mcp/approvals/{held}/approve"), key, json!({})).await;
    approve(&maker).await.refused(403, "AUTH_DENIED");
    approve(&other).await.ok();
    api.check_in(&own, &bot, "db_delete", &session).await.allowed();
}

#[tokio::test]
async fn compromised_key_takes_along_the_delegations_that_were_made_with_it() {
    let api = open().await;
    let (root, bot, third) = (api.agent(&["*"]).await, api.agent(&[]).await, api.agent(&[]).await);
    let made = json!({ "role": "agent", "agents": [root] });
    let made = api.post("/api/v1/keys", ADMIN, made).await.ok();
    let (id, key) = (made.text("id"), made.text("key"));
    let first = ask(&api, &key, (&root, &bot), &["*"], json!({})).await.ok();
    let first = first.body["delegation"]["id"].as_str().unwrap().to_owned();
    let second = give(&api, (&bot, &third), &["search"], under(&first)).await;
    let session = begun(&api, &second).await;
    api.check_in(ADMIN, &third, "search", &session).await.allowed();
    let body = json!({ "reason": "compromised" });
    api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, Some(body)).await.ok();
    api.check_in(ADMIN, &third, "search", &session).await.denied("not open");
    for id in [&first, &second] {
        session_is_gone(&api, id).await;
        let read = api.get(&format!("{DELEGATIONS}/{id}"), ADMIN).await.ok();
        assert_eq!(read.body["state"], "revoked");
    }
}

#[tokio::test]
async fn token_that_was_issued_under_a_delegation_is_used_under_it() {
    let api = open().await;
    let agents = [api.agent(&["files:*"]).await, api.agent(&["files:*"]).await];
    let restricted = json!({ "restrictions": { "max_calls": 1, "tools": ["files:read"] } });
    let id = give(&api, (&agents[0], &agents[1]), &["files:*"], restricted).await;
    let session = begun(&api, &id).await;
    let body = json!({ "agent_id": agents[1], "scopes": ["files:*"], "session_id": session });
    let token = api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token");
    let init = "/api/v1/agenttrust/api-sessions/init";
    let inner = api.post(init, ADMIN, json!({ "token": token })).await.ok();
    assert_eq!(inner.body["delegation_id"], *id);
    let inner = inner.text("session_id");
    let asks = async |tool: &str| api.check_in(ADMIN, &agents[1], tool, &inner).await;
    asks("files:write").await.denied("restricted to");
    asks("files:read").await.allowed();
    asks("files:read").await.denied("lets 1 calls through in all");
    let scopes = async || {
        let body = json!({ "token": token });
        api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body["scopes"].clone()
    };
    assert_eq!(scopes().await, json!(["files:*"]));
    let floor = json!({ "scope_ceiling": ["mail"] });
    api.put(&format!("/api/v1/agents/{}/floor", agents[0]), ADMIN, floor).await.ok();
    assert_eq!(scopes().await, json!([]));
    revoke(&api, ADMIN, &id).await.ok();
    let refused = api.post(init, ADMIN, json!({ "token": token })).await;
    refused.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn limit_in_the_wrong_place_is_refused_and_never_dropped() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    for (name, meant) in [
        ("tools", "restrictions.tools"),
        ("servers", "restrictions.servers"),
        ("max_calls", "restrictions.max_calls"),
        ("not_after", "restrictions.not_after"),
        ("ttl", "ttl_seconds"),
        ("expires_at", "ttl_seconds"),
        ("parent_id", "parent_delegation_id"),
        ("maxCalls", "max_calls"),
    ] {
        let more = json!({ name: 1 });
        let refused = ask(&api, ADMIN, (&agents[0], &agents[1]), &["web_search"], more).await;
        refused.refused(400, "VALIDATION_ERROR").says(meant);
    }
}
