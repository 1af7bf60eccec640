//! What holds for an agent holds for those who act for it, however they come by what was delegated.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::delegations::{DELEGATIONS, ask, begun, chain_of, give, revoke, session_is_gone, under};
use crate::support::{Api, open, open_with};

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
    let refused = approve(&maker).await;
    refused.refused(403, "AUTH_DENIED").says("this key made delegation");
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
    let revoked = api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, Some(body)).await;
    let gone = revoked.ok().body;
    assert_eq!((&gone["delegations"], &gone["sessions"]), (&json!(2), &json!(1)), "{gone}");
    assert_eq!(api.audit("key.revoked").await[0]["body"]["delegations"], 2);
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
    asks("files:read").await.denied("1 of 1 calls were let through");
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

/// Asks for a call with an input that is bound, as this summary of it.
async fn asks(
    api: &Api,
    (key, agent): (&str, &str),
    session: Option<&str>,
    tool: &str,
    summary: &str,
) -> Answer {
    let mut body =
        json!({ "agent_id": agent, "action_name": tool, "action_input_summary": summary });
    if let Some(session) = session {
        body["session_id"] = json!(session);
    }
    api.check_as(key, body).await
}

#[tokio::test]
async fn hold_that_was_denied_to_an_agent_is_not_asked_again_through_a_delegate() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&["*"]).await, api.agent(&["*"]).await];
    let [root, middle, bot] = &agents;
    let maker = api.key(Role::Operator, &[]).await;
    let made = ask(&api, &maker, (root, middle), &["*"], json!({})).await.ok();
    let first = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let made = ask(&api, &maker, (middle, bot), &["*"], under(&first)).await.ok();
    let session = begun(&api, made.body["delegation"]["id"].as_str().unwrap()).await;
    let own = api.key(Role::Agent, &[bot]).await;
    let through = async |tool: &str, summary: &str| {
        asks(&api, (&own, bot), Some(&session), tool, summary).await
    };
    let decider = api.key(Role::Operator, &[]).await;
    let deny = async |held: String| drop(api.deny(&decider, &held).await.ok());
    for (agent, tool) in [(root, "db_drop"), (middle, "db_truncate")] {
        let key = api.key(Role::Agent, &[agent]).await;
        let denied = asks(&api, (&key, agent), None, tool, "all of it").await.held();
        deny(denied).await;
        // The very same is not asked again, and something else of the tool is.
        through(tool, "all of it").await.denied("was denied to agent");
        through(tool, "one row").await.held();
        for n in 0..2 {
            deny(asks(&api, (&key, agent), None, tool, &format!("row {n}")).await.held()).await;
        }
        through(tool, "another row").await.denied("3 times within 10 minutes").denied("it acts");
        through("db_remove", "another row").await.held();
    }
    // What is denied to the delegate is denied to it, also on its own, and to no one for whom it acts: else it could
    // take from them what they may ask for.
    for n in 0..3 {
        deny(through("db_purge", &format!("row {n}")).await.held()).await;
    }
    asks(&api, (&own, bot), None, "db_purge", "a row").await.denied("3 times within 10 minutes");
    let key = api.key(Role::Agent, &[root]).await;
    asks(&api, (&key, root), None, "db_purge", "a row").await.held();
}

#[tokio::test]
async fn owner_of_an_agent_in_the_chain_does_not_approve_what_is_done_for_it() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await, api.agent(&[]).await];
    let [root, middle, bot] = &agents;
    let key = async |body: Value| api.post("/api/v1/keys", ADMIN, body).await.ok().text("key");
    let maker = api.key(Role::Operator, &[]).await;
    let made = ask(&api, &maker, (root, middle), &["db_delete"], json!({})).await.ok();
    let first = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let made = ask(&api, &maker, (middle, bot), &["db_delete"], under(&first)).await.ok();
    let session = begun(&api, made.body["delegation"]["id"].as_str().unwrap()).await;
    for (agent, owner) in [(root, "alice"), (middle, "bob")] {
        key(json!({ "role": "agent", "agents": [agent], "owner": owner })).await;
    }
    let own = api.key(Role::Agent, &[bot]).await;
    let held = api.check_in(&own, bot, "db_delete", &session).await.held();
    for owner in ["alice", "bob"] {
        let theirs = key(json!({ "role": "operator", "owner": owner })).await;
        for answer in [api.approve(&theirs, &held).await, api.deny(&theirs, &held).await] {
            answer.refused(403, "AUTH_DENIED").says("of one owner");
        }
    }
    // Keys of the agents themselves decide nothing, whoever asks for whom.
    for agent in &agents {
        let theirs = api.key(Role::Agent, &[agent]).await;
        api.approve(&theirs, &held).await.refused(403, "AUTH_DENIED");
    }
    let carol = key(json!({ "role": "operator", "owner": "carol" })).await;
    api.approve(&carol, &held).await.ok();
    api.check_in(&own, bot, "db_delete", &session).await.allowed();
}

#[tokio::test]
async fn delegation_that_does_not_work_at_present_says_so_and_why() {
    let api = open().await;
    let agents = chain_of(&api, 3).await;
    let restricted = json!({ "restrictions": { "max_calls": 1 } });
    let made = ask(&api, ADMIN, (&agents[0], &agents[1]), &["files:*"], restricted).await.ok();
    assert_eq!(made.body["delegation"]["usable"], true);
    let first = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let second = give(&api, (&agents[1], &agents[2]), &["files:read"], under(&first)).await;
    let stands = async |usable: bool, why: &str| {
        let read = api.get(&format!("{DELEGATIONS}/{second}"), ADMIN).await.ok().body;
        let list = api.get(DELEGATIONS, ADMIN).await.ok();
        let listed = list.body["delegations"].as_array().unwrap().iter();
        let listed = listed.clone().find(|it| it["id"] == *second).unwrap();
        assert_eq!(*listed, read);
        assert_eq!(read["usable"], usable, "{read}");
        let said = read["unusable_because"].as_str().unwrap_or_default();
        assert!(said.contains(why) && said.is_empty() == usable, "{read}");
        read["state"].clone()
    };
    assert_eq!(stands(true, "").await, "active");
    for agent in &agents {
        let path = format!("/api/v1/agents/{agent}");
        api.post(&format!("{path}/suspend"), ADMIN, json!({})).await.ok();
        assert_eq!(stands(false, &format!("agent {agent:?}")).await, "active");
        api.post(&format!("{path}/reactivate"), ADMIN, json!({})).await.ok();
        assert_eq!(stands(true, "").await, "active");
    }
    let session = begun(&api, &second).await;
    api.check_in(ADMIN, &agents[2], "files:read", &session).await.allowed();
    assert_eq!(stands(false, "1 of 1 calls were let through").await, "active");
    revoke(&api, ADMIN, &first).await.ok();
    assert_eq!(stands(false, "was revoked").await, "revoked");
}

#[tokio::test]
async fn what_would_narrow_a_session_of_a_delegation_is_refused_and_never_dropped() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let id = give(&api, (&agents[0], &agents[1]), &["files:*"], json!({})).await;
    let path = format!("{DELEGATIONS}/{id}/session");
    for (body, said) in [
        (json!({ "scope_ceiling": ["files:read"] }), "use the scope of the delegation"),
        (json!({ "scopeCeiling": ["files:read"] }), "use the scope of the delegation"),
        (json!({ "mode": "supervised" }), "use the floor of the agent"),
        (json!({ "ttl_seconds": 60 }), "use the ttl_seconds of the delegation"),
        (json!({ "restrictions": { "max_calls": 1 } }), "the restrictions of the delegation"),
        (json!([]), "body is not as it must be"),
    ] {
        let refused = api.post(&path, ADMIN, body).await;
        refused.refused(400, "VALIDATION_ERROR").says(said);
    }
    assert_eq!(api.audit("session.opened").await.len(), 0);
    let opened = api.post(&path, ADMIN, json!({ "trace": "x" })).await.ok();
    assert_eq!(opened.headers["agenttrust-ignored"], "trace");
    api.ask(Method::POST, &path, ADMIN, None).await.ok();
}

#[tokio::test]
async fn denial_under_a_delegation_is_recorded_however_long_its_lists_are() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await];
    // As long as a list may be, of what is written out the longest.
    let scope: Vec<String> = (0..82).map(|n| format!("a{n:02}{}", "\u{61c}".repeat(96))).collect();
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    let id = give(&api, (&agents[0], &agents[1]), &scope, json!({})).await;
    let session = begun(&api, &id).await;
    let body = json!({ "agent_id": agents[1], "session_id": session, "action_name": "drop" });
    let declared = (0..20).map(|n| format!("b{n:02}{}", "b".repeat(190)));
    let declared = declared.collect::<Vec<_>>().join(",");
    let answer = api.check_with(ADMIN, &[("agenttrust-scopes", &declared)], body).await;
    answer.denied("outside the scope");
    let rows = api.audit("decision").await;
    assert!(rows.iter().any(|row| row["body"]["tool"] == "drop"), "{}", rows.len());
    assert!(answer.text("reason").len() < 6_000, "{}", answer.text("reason").len());
}
