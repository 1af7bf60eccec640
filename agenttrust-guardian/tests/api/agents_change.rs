//! Agents that change: what is said of them is in force at once, all of it or nothing; and what was issued to them
//! narrows with them and never widens.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Api, open};

const ISSUE: &str = "/api/v1/agent-tokens/issue";
const INIT: &str = "/api/v1/agenttrust/api-sessions/init";

fn path(agent: &str) -> String {
    format!("/api/v1/agents/{agent}")
}

async fn try_change(api: &Api, agent: &str, body: Value) -> Answer {
    api.ask(Method::PATCH, &path(agent), ADMIN, Some(body)).await
}

/// Returns the agent as the answer to its change has it.
async fn change(api: &Api, agent: &str, body: Value) -> Value {
    let answer = try_change(api, agent, body).await.ok().body;
    assert_eq!(api.get(&path(agent), ADMIN).await.ok().body, answer);
    answer
}

async fn agent_is(api: &Api, agent: &str, verb: &str) {
    api.post(&format!("{}/{verb}", path(agent)), ADMIN, json!({})).await.ok();
}

/// Returns what the token carries, and whether it carries `scope`.
async fn carries(api: &Api, token: &str, scope: &str) -> (Value, bool) {
    let ask = async |body: Value| {
        api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok().body
    };
    let all = ask(json!({ "token": token })).await;
    let one = ask(json!({ "token": token, "required_scopes": [scope] })).await;
    (all["scopes"].clone(), one["active"] == true)
}

#[tokio::test]
async fn what_a_change_says_nothing_of_stays() {
    let api = open().await;
    let body = json!({
        "name": "worker", "framework": "rig", "capabilities": ["search", "files:*"],
        "metadata": { "groups": ["a"], "team": "one", "seat": { "floor": 1, "desk": 7 } },
    });
    let mut agent = api.post("/api/v1/agents", ADMIN, body).await.ok().body;
    let id = agent["id"].as_str().unwrap().to_owned();
    agent["name"] = json!("clerk");
    assert_eq!(change(&api, &id, json!({ "name": "clerk" })).await, agent);
    agent["metadata"]["groups"] = json!(["b", "c"]);
    assert_eq!(change(&api, &id, json!({ "groups": ["b", "c"] })).await, agent);
    // A member takes the place of the one of its name, whole, and `null` takes it out.
    agent["metadata"] = json!({ "groups": ["b", "c"], "seat": { "floor": 2 }, "new": [null] });
    let metadata = json!({ "team": null, "never": null, "seat": { "floor": 2 }, "new": [null] });
    assert_eq!(change(&api, &id, json!({ "metadata": metadata })).await, agent);
    agent["capabilities"] = json!(["files:*", "refund"]);
    let body = json!({ "grant": ["refund", "files:*"], "withdraw": ["search"] });
    assert_eq!(change(&api, &id, body).await, agent);
    agent["capabilities"] = json!(["mail:send"]);
    assert_eq!(change(&api, &id, json!({ "capabilities": ["mail:send"] })).await, agent);
    agent["metadata"] = json!({});
    let metadata = json!({ "groups": null, "seat": null, "new": null });
    assert_eq!(
        change(&api, &id, json!({ "metadata": metadata, "capabilities": [] })).await["metadata"],
        json!({})
    );
    api.check(ADMIN, &id, "mail_send").await.denied("has no capabilities");
}

#[tokio::test]
async fn changed_agent_is_checked_as_it_is_now() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    api.check(ADMIN, &agent, "fetch").await.denied("no capability");
    change(&api, &agent, json!({ "grant": ["fetch"] })).await;
    api.check(ADMIN, &agent, "fetch").await.allowed();
    // Also in a session of the caller's own, which nobody issued.
    api.check_in(ADMIN, &agent, "fetch", "mine").await.allowed();
    change(&api, &agent, json!({ "withdraw": ["fetch"] })).await;
    api.check(ADMIN, &agent, "fetch").await.denied("no capability");
    // A permission that was given is not given again.
    let body = json!({ "agent_id": agent, "action_name": "search" });
    let headers = [("idempotency-key", "one")];
    api.check_with(ADMIN, &headers, body.clone()).await.allowed();
    change(&api, &agent, json!({ "capabilities": ["fetch"] })).await;
    api.check_with(ADMIN, &headers, body).await.denied("no capability");
}

#[tokio::test]
async fn policies_know_the_groups_and_the_name_that_an_agent_has_now() {
    let api = open().await;
    let text = r#"permit (principal, action, resource);
                  @reason("not in finance")
                  forbid (principal, action, resource) unless { principal in Group::"finance" };"#;
    let files = json!({ "files": [{ "name": "all.cedar", "text": text }] });
    api.put("/api/v1/policies", ADMIN, files).await.ok();
    let agent = api.agent(&["*"]).await;
    api.check(ADMIN, &agent, "search").await.denied("not in finance");
    change(&api, &agent, json!({ "groups": ["finance"] })).await;
    api.check(ADMIN, &agent, "search").await.allowed();
    change(&api, &agent, json!({ "groups": [] })).await;
    api.check(ADMIN, &agent, "search").await.denied("not in finance");
}

#[tokio::test]
async fn live_token_narrows_with_its_agent_and_never_widens() {
    let api = open().await;
    let agent = api.agent(&["files:*", "search"]).await;
    let old = api.token(&agent, &["files:*", "search"]).await;
    assert_eq!(carries(&api, &old, "files:write").await, (json!(["files:*", "search"]), true));
    change(&api, &agent, json!({ "withdraw": ["files:*"], "grant": ["files:read", "mail:*"] }))
        .await;
    assert_eq!(carries(&api, &old, "files:write").await, (json!(["search"]), false));
    assert!(carries(&api, &old, "files:read").await.1, "the agent has it still");
    let middle = api.token(&agent, &["files:read", "mail:send"]).await;
    // It is given back to the agent, and not to what lived meanwhile.
    change(&api, &agent, json!({ "grant": ["files:*"] })).await;
    for token in [&old, &middle] {
        assert!(!carries(&api, token, "files:write").await.1);
        assert!(carries(&api, token, "files:read").await.1);
    }
    assert!(
        carries(&api, &middle, "mail:send").await.1 && !carries(&api, &old, "mail:send").await.1
    );
    let new = api.token(&agent, &["files:*"]).await;
    assert!(carries(&api, &new, "files:write").await.1);
}

#[tokio::test]
async fn token_for_everything_never_comes_to_hold_what_its_agent_gained_later() {
    let api = open().await;
    // Whoever has a `*` in a token that is worth less by now.
    let agent = api.agent(&["*"]).await;
    let token = api.token(&agent, &["*"]).await;
    let session = api.post(INIT, ADMIN, json!({ "token": token })).await.ok().text("session_id");
    change(&api, &agent, json!({ "capabilities": ["search"] })).await;
    api.check_in(ADMIN, &agent, "search", &session).await.allowed();
    api.check_in(ADMIN, &agent, "refund", &session).await.denied("no capability");
    change(&api, &agent, json!({ "grant": ["refund"] })).await;
    api.check_in(ADMIN, &agent, "search", &session).await.allowed();
    let hint = json!({
        "agent_id": agent, "action_name": "refund", "session_id": session, "action_effect": "read",
    });
    api.check_as(ADMIN, hint.clone()).await.denied("was given \"refund\" after this session began");
    assert_eq!(carries(&api, &token, "refund").await, (json!([]), false));
    // Nor does a session that is made from it now, nor a token that is issued in that.
    let key = api.key(Role::Agent, &[&agent]).await;
    let later = api.post(INIT, &key, json!({ "token": token })).await.ok().text("session_id");
    assert_ne!(later, session);
    let in_later = json!({ "agent_id": agent, "scopes": ["*"], "session_id": later });
    api.post(ISSUE, ADMIN, in_later).await.refused(403, "AUTH_DENIED");
    let in_later = json!({ "agent_id": agent, "scopes": ["refund"], "session_id": later });
    let inner = api.post(ISSUE, ADMIN, in_later).await.ok().text("token");
    assert!(!carries(&api, &inner, "refund").await.1);
    let inner = api.post(INIT, ADMIN, json!({ "token": inner })).await.ok().text("session_id");
    for session in [later, inner] {
        let mut hint = hint.clone();
        hint["session_id"] = json!(session);
        api.check_as(ADMIN, hint).await.denied("begin a new session, with a new token");
    }
    let token = api.token(&agent, &["refund"]).await;
    let session = api.post(INIT, ADMIN, json!({ "token": token })).await.ok().text("session_id");
    let mut hint = hint;
    hint["session_id"] = json!(session);
    api.check_as(ADMIN, hint).await.allowed();
}

#[tokio::test]
async fn open_session_reaches_what_its_agent_had_all_the_while() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let session = api.session(ADMIN, &agent, json!({})).await.ok().text("session_id");
    change(&api, &agent, json!({ "grant": ["fetch"] })).await;
    api.check_in(ADMIN, &agent, "search", &session).await.allowed();
    api.check_in(ADMIN, &agent, "fetch", &session).await.denied("after this session began");
    let later = api.session(ADMIN, &agent, json!({})).await.ok().text("session_id");
    api.check_in(ADMIN, &agent, "fetch", &later).await.allowed();
    change(&api, &agent, json!({ "withdraw": ["search"] })).await;
    change(&api, &agent, json!({ "grant": ["search"] })).await;
    for session in [&session, &later] {
        api.check_in(ADMIN, &agent, "search", session).await.denied("after this session began");
    }
    api.check_in(ADMIN, &agent, "fetch", &later).await.allowed();
}

#[tokio::test]
async fn only_what_an_agent_loses_is_told_to_those_who_cache() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let mut stream = api.revocations(&gateway).await;
    change(&api, &agent, json!({ "name": "clerk", "groups": ["a"], "metadata": { "b": 1 } })).await;
    change(&api, &agent, json!({ "grant": ["fetch"] })).await;
    let other = api.agent(&["search", "fetch"]).await;
    change(&api, &other, json!({ "withdraw": ["fetch"] })).await;
    assert_eq!(stream.revocation().await, json!({ "kind": "agent", "agent_id": other }));
}

#[tokio::test]
async fn suspended_agent_may_be_changed_and_stays_suspended_and_a_revoked_one_is_left_alone() {
    let api = open().await;
    let agent = api.agent(&["*"]).await;
    agent_is(&api, &agent, "suspend").await;
    let answer = change(&api, &agent, json!({ "capabilities": ["search"] })).await;
    assert_eq!(answer["status"], "suspended");
    api.check(ADMIN, &agent, "search").await.denied("is suspended");
    agent_is(&api, &agent, "reactivate").await;
    api.check(ADMIN, &agent, "search").await.allowed();
    api.check(ADMIN, &agent, "fetch").await.denied("no capability");
    let before = api.get(&path(&agent), ADMIN).await.ok().body;
    agent_is(&api, &agent, "revoke").await;
    let rows = api.audit_rows().await;
    let answer = try_change(&api, &agent, json!({ "name": "x", "grant": ["fetch"] })).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains("is revoked, which is for good"), "{answer:?}");
    let after = api.get(&path(&agent), ADMIN).await.ok().body;
    assert_eq!(
        (&after["name"], &after["capabilities"]),
        (&before["name"], &before["capabilities"])
    );
    assert_eq!(api.audit_rows().await, rows);
    try_change(&api, "agt_unknown", json!({ "name": "x" })).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn agent_that_is_revoked_meanwhile_is_changed_whole_or_not_at_all() {
    let api = open().await;
    for _ in 0..20 {
        let agent = api.agent(&["search"]).await;
        let both = json!({ "name": "clerk", "grant": ["fetch"], "groups": ["a"] });
        let reason = json!({});
        let revoke = format!("{}/revoke", path(&agent));
        let (changed, revoked) =
            tokio::join!(try_change(&api, &agent, both), api.post(&revoke, ADMIN, reason),);
        revoked.ok();
        let agent = api.get(&path(&agent), ADMIN).await.ok().body;
        assert_eq!(agent["status"], "revoked");
        let whole = match changed.status.as_u16() {
            200 => json!(["clerk", ["search", "fetch"], { "groups": ["a"] }]),
            409 => json!([agent["name"], ["search"], {}]),
            _ => panic!("{changed:?}"),
        };
        assert_eq!(json!([agent["name"], agent["capabilities"], agent["metadata"]]), whole);
    }
}

#[tokio::test]
async fn changes_at_once_lose_nothing_of_each_other() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let changes = (0..20).map(|n| {
        let body = json!({ "grant": [format!("tool_{n}")], "metadata": { format!("m{n}"): n } });
        try_change(&api, &agent, body)
    });
    for answer in join_all(changes).await {
        answer.ok();
    }
    let agent = api.get(&path(&agent), ADMIN).await.ok().body;
    assert_eq!(agent["capabilities"].as_array().unwrap().len(), 21);
    assert_eq!(agent["metadata"].as_object().unwrap().len(), 20);
}

#[tokio::test]
async fn change_that_cannot_be_is_refused_and_nothing_is_half_changed() {
    let api = open().await;
    let agent = api.agent(&["a:b", "files:*", "files:read"]).await;
    let before = api.get(&path(&agent), ADMIN).await.ok().body;
    let rows = api.audit_rows().await;
    for (body, says) in [
        (json!({}), "names nothing to change"),
        (json!({ "grant": [], "metadata": {} }), "names nothing to change"),
        (json!({ "name": null }), "name"),
        (json!({ "groups": null, "name": "x" }), "groups"),
        (json!({ "capabilities": null, "name": "x" }), "capabilities"),
        (json!({ "metadata": null, "name": "x" }), "metadata"),
        (json!({ "grant": "refund", "name": "x" }), "grant"),
        (json!({ "capability": ["refund"], "name": "x" }), "capability"),
        (json!({ "status": "active", "name": "x" }), "status"),
        (json!({ "name": "" }), "name is empty"),
        (json!({ "name": "a\nb", "grant": ["refund"] }), "control character"),
        (json!({ "name": "x", "grant": [" refund"] }), "has spaces around it"),
        (json!({ "name": "x", "grant": ["http:read"] }), "\"http/GET/*\""),
        (json!({ "name": "x", "capabilities": ["fi*les"] }), "has a `*` where none can be"),
        (json!({ "name": "x", "withdraw": [""] }), "withdraw[0] is empty"),
        (json!({ "name": "x", "groups": ["a", "b\u{7}"] }), "groups[1]"),
        (json!({ "name": "x", "metadata": { "groups": "ops" } }), "is not a list of names"),
    ] {
        let answer = try_change(&api, &agent, body.clone()).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.text("message").contains(says), "{body}: {answer:?}");
    }
    for (body, says) in [
        (json!({ "name": "x", "grant": ["a_b"] }), "name the same tool"),
        (json!({ "name": "x", "capabilities": ["c:d", "c_d"] }), "name the same tool"),
        (json!({ "name": "x", "withdraw": ["refund"] }), "has no capability \"refund\""),
        (json!({ "name": "x", "withdraw": ["files:write"] }), "because \"files:*\" covers it"),
        (json!({ "name": "x", "withdraw": ["files:read"] }), "because \"files:*\" covers it"),
    ] {
        let answer = try_change(&api, &agent, body.clone()).await;
        answer.refused(409, "CONFLICT");
        assert!(answer.text("message").contains(says), "{body}: {answer:?}");
    }
    for body in [None, Some(json!("x")), Some(Value::Null)] {
        api.ask(Method::PATCH, &path(&agent), ADMIN, body).await.refused(400, "VALIDATION_ERROR");
    }
    assert_eq!(api.get(&path(&agent), ADMIN).await.ok().body, before);
    assert_eq!(api.audit_rows().await, rows);
}

#[tokio::test]
async fn metadata_never_outgrows_what_may_be_registered_and_may_always_shrink() {
    let api = open().await;
    let agent = api.agent(&["search"]).await;
    let long = "x".repeat(600_000);
    change(&api, &agent, json!({ "metadata": { "a": long } })).await;
    let answer = try_change(&api, &agent, json!({ "metadata": { "b": long } })).await;
    answer.refused(400, "VALIDATION_ERROR");
    assert!(answer.text("message").contains("take members out with null"), "{answer:?}");
    change(&api, &agent, json!({ "metadata": { "a": null, "b": long } })).await;
}

#[tokio::test]
async fn audit_says_what_was_before_and_after_and_nothing_that_may_be_secret() {
    let api = open().await;
    let body =
        json!({ "name": "worker", "capabilities": ["search"], "metadata": { "pin": "pin-1234" } });
    let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
    let body = json!({
        "name": "clerk", "grant": ["fetch"], "groups": ["ops"],
        "metadata": { "pin": "pin-6789-0", "other": { "hidden": "pin-6789-1" } },
    });
    change(&api, &agent, body).await;
    let rows = api.audit("agent.changed").await;
    let bodies: Vec<&Value> = rows.iter().map(|row| &row["body"]).collect();
    let first = json!({
        "before": { "name": "worker", "capabilities": ["search"] },
        "after": { "name": "clerk", "capabilities": ["search", "fetch"] },
        "metadata": { "count": 2, "members": ["other", "pin"] },
    });
    let second = json!({ "before": { "groups": [] }, "after": { "groups": ["ops"] } });
    assert_eq!(bodies, [&first, &second]);
    assert!(rows.iter().all(|row| row["agent_id"] == agent.as_str() && row["actor"].is_string()));
    let all = api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body.to_string();
    assert!(!all.contains("pin-1234") && !all.contains("pin-6789"));
    // The longest lists that there can be are told, too.
    let many =
        |prefix: &str| -> Value { (0..80).map(|n| json!(format!("{prefix}{n:0>198}"))).collect() };
    for prefix in ["\"", "é"] {
        change(&api, &agent, json!({ "capabilities": many(prefix), "groups": many(prefix) })).await;
    }
}

#[tokio::test]
async fn whoever_names_another_agent_changes_none() {
    let api = open().await;
    let (one, other) = (api.agent(&["search"]).await, api.agent(&["search"]).await);
    let headers = [("x-agent-id", other.as_str())];
    let body = Some(json!({ "name": "x" }));
    let answer = api.with(&headers).ask(Method::PATCH, &path(&one), ADMIN, body).await;
    answer.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn capability_to_ask_an_agent_names_it_by_its_id() {
    let api = open().await;
    let create = async |name: &str, capabilities: Value| {
        let body = json!({ "name": name, "capabilities": capabilities });
        api.post("/api/v1/agents", ADMIN, body).await
    };
    // An agent that is not there yet may come to be, and what was given then stays.
    let early = create("early", json!(["a2a/bob"])).await.ok().body["id"].clone();
    let early = early.as_str().unwrap();
    let bob = create("bob", json!([])).await.ok().body["id"].clone();
    let bob = bob.as_str().unwrap();
    let says = format!("bob is a name: the capability is \"a2a/{bob}\"");
    for (refused, field) in [
        (create("asker", json!(["search", "a2a/bob"])).await, "capabilities[1]"),
        (try_change(&api, bob, json!({ "grant": ["a2a/bob"] })).await, "grant[0]"),
        (try_change(&api, bob, json!({ "capabilities": ["a2a/bob"] })).await, "capabilities[0]"),
    ] {
        refused.refused(400, "VALIDATION_ERROR").says(&says).says(field);
    }
    change(&api, early, json!({ "name": "first", "grant": ["a2a/bob", "search"] })).await;
    let bare = create("asker", json!(["a2a"])).await;
    bare.refused(400, "VALIDATION_ERROR").says("write \"a2a/*\"");
    create("asker", json!(["a2a/*", format!("a2a/{bob}"), "a2a/agt_of_later"])).await.ok();
    create("bob", json!([])).await.ok();
    let several = create("asker", json!(["a2a/bob"])).await;
    several.refused(400, "VALIDATION_ERROR").says("bob is the name of several");
}
