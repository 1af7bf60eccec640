//! What is said and done where a delegation has ended, is used up, or is taken for something else.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use crate::delegations::{ask, begun, chain_of, give, revoke, under};
use crate::support::open;

#[tokio::test]
async fn delegation_in_the_place_of_a_session_is_denied_and_never_taken_for_a_name() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&["search"]).await];
    let id = give(&api, (&agents[0], &agents[1]), &["search"], json!({})).await;
    let answer = api.check_in(ADMIN, &agents[1], "search", &id).await;
    answer.denied("agenttrust delegations session");
}

#[tokio::test]
async fn nobody_is_asked_for_a_call_of_a_delegation_that_is_used_up() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await];
    let restricted = json!({ "restrictions": { "max_calls": 1 } });
    let id = give(&api, (&agents[0], &agents[1]), &["*"], restricted).await;
    let session = begun(&api, &id).await;
    let own = api.key(Role::Agent, &[&agents[1]]).await;
    let asks = async |tool: &str| api.check_in(&own, &agents[1], tool, &session).await;
    asks("db_drop").await.held();
    asks("search").await.allowed();
    for tool in ["db_delete", "db_drop"] {
        asks(tool).await.denied("1 of 1 calls were let through");
    }
}

#[tokio::test]
async fn what_was_asked_for_under_a_delegation_that_ended_is_approved_no_more() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await, api.agent(&[]).await];
    let maker = api.key(Role::Operator, &[]).await;
    let made = ask(&api, &maker, (&agents[0], &agents[1]), &["*"], json!({})).await.ok();
    let first = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let made = ask(&api, &maker, (&agents[1], &agents[2]), &["*"], under(&first)).await.ok();
    let session = begun(&api, made.body["delegation"]["id"].as_str().unwrap()).await;
    let own = api.key(Role::Agent, &[&agents[2]]).await;
    let held = api.check_in(&own, &agents[2], "db_drop", &session).await.held();
    revoke(&api, ADMIN, &first).await.ok();
    let refused = api.approve(ADMIN, &held).await;
    refused.refused(409, "CONFLICT").says("cannot be approved any more").says("was revoked");
    let approval = api.get(&format!("/mcp/approvals/{held}"), ADMIN).await.ok();
    assert_eq!(approval.body["status"], "pending");
    api.deny(ADMIN, &held).await.ok();
}

#[tokio::test]
async fn check_in_a_session_that_ended_with_its_delegation_says_so() {
    let api = open().await;
    let agents = chain_of(&api, 3).await;
    let first = give(&api, (&agents[0], &agents[1]), &["web_search"], json!({})).await;
    let second = give(&api, (&agents[1], &agents[2]), &["web_search"], under(&first)).await;
    let session = begun(&api, &second).await;
    revoke(&api, ADMIN, &first).await.ok();
    let answer = api.check_in(ADMIN, &agents[2], "web_search", &session).await;
    answer.denied(&second).denied("was revoked");
    // Of the session of another agent nothing is told.
    let other = api.check_in(ADMIN, &agents[1], "web_search", &session).await;
    other.denied("it was never issued");
}

#[tokio::test]
async fn token_of_a_delegated_session_carries_what_the_delegation_gives_alone() {
    let api = open().await;
    let agents = [api.agent(&["files:*"]).await, api.agent(&["mail"]).await];
    let id = give(&api, (&agents[0], &agents[1]), &["files:read"], json!({})).await;
    let session = begun(&api, &id).await;
    let issue = async |scope: &str| {
        let body = json!({ "agent_id": agents[1], "scopes": [scope], "session_id": session });
        api.post("/api/v1/agent-tokens/issue", ADMIN, body).await
    };
    for scope in ["mail", "files:write", "files:*"] {
        issue(scope).await.refused(403, "AUTH_DENIED");
    }
    let token = issue("files:read").await.ok().text("token");
    let carried = async || -> Value {
        let body = json!({ "token": token });
        api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body["scopes"].clone()
    };
    assert_eq!(carried().await, json!(["files:read"]));
    let init = json!({ "token": token });
    let inner = api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, init).await.ok();
    let inner = inner.text("session_id");
    let asks = async |tool: &str| api.check_in(ADMIN, &agents[1], tool, &inner).await;
    asks("files:read").await.allowed();
    asks("mail").await.denied("outside the scope");
    let floor = json!({ "scope_ceiling": ["nothing"] });
    api.put(&format!("/api/v1/agents/{}/floor", agents[0]), ADMIN, floor).await.ok();
    assert_eq!(carried().await, json!([]));
}

#[tokio::test]
async fn forgotten_parent_is_named() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await, api.agent(&[]).await];
    let first = give(&api, (&agents[0], &agents[1]), &["search"], json!({})).await;
    let refused = ask(&api, ADMIN, (&agents[1], &agents[2]), &["search"], json!({})).await;
    refused.refused(403, "AUTH_DENIED").says(&first).says("--parent");
    let refused = ask(&api, ADMIN, (&agents[1], &agents[2]), &["mail"], json!({})).await;
    assert!(!refused.refused(403, "AUTH_DENIED").text("message").contains(&first));
}
