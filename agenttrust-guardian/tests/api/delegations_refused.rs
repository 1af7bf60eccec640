//! Requests about delegations that are refused: a clear answer, a row of the audit, and nothing half made.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::future::join;
use serde_json::{Value, json};

use crate::delegations::{DELEGATIONS, ask, begun, chain_of, give, revoke, under};
use crate::support::{Api, open};

/// Returns the row that tells of what was refused to this key.
async fn row(api: &Api, key_id: &str) -> Value {
    let mut rows = api.audit("delegation.refused").await;
    rows.retain(|row| row["actor"] == key_id);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// Returns a key of this role, and its id.
async fn key(api: &Api, role: &str) -> (String, String) {
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": role })).await.ok();
    (made.text("key"), made.text("id"))
}

async fn all(api: &Api) -> Value {
    api.get(DELEGATIONS, ADMIN).await.ok().body["delegations"].clone()
}

/// The Guardian, agents and delegations that refusals are about.
struct There {
    api: Api,
    /// The first two of them may do something of their own, and the third was given `files:read` by `first`.
    agents: Vec<String>,
    suspended: String,
    foreign: String,
    /// A delegation from the first agent to the second.
    first: String,
    revoked: String,
    expired: String,
    /// A delegation from the third agent to the fourth.
    elsewhere: String,
    /// A delegation of another organisation.
    theirs: String,
}

async fn there() -> There {
    let api = open().await;
    let agents = chain_of(&api, 4).await;
    let (a, b) = (&agents[0], &agents[1]);
    let short = give(&api, (a, b), &["files:read"], json!({ "ttl_seconds": 1 })).await;
    let first = give(&api, (a, b), &["files:read"], json!({})).await;
    let revoked = give(&api, (a, b), &["files:read"], json!({})).await;
    revoke(&api, ADMIN, &revoked).await.ok();
    let able = api.agent(&["a:b"]).await;
    let elsewhere = give(&api, (&able, &agents[3]), &["a:b"], json!({})).await;
    let suspended = api.agent(&["files:*"]).await;
    api.post(&format!("/api/v1/agents/{suspended}/suspend"), ADMIN, json!({})).await.ok();
    let body = json!({ "role": "admin", "org_id": "org_theirs" });
    let their_admin = api.post("/api/v1/keys", ADMIN, body).await.ok().text("key");
    let mut their_agents = Vec::new();
    for name in ["giver", "receiver"] {
        let body = json!({ "name": name, "capabilities": ["*"] });
        their_agents.push(api.post("/api/v1/agents", &their_admin, body).await.ok().text("id"));
    }
    let between = (their_agents[0].as_str(), their_agents[1].as_str());
    let theirs = ask(&api, &their_admin, between, &["files:read"], json!({})).await.ok();
    let theirs = theirs.body["delegation"]["id"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    There {
        api,
        agents,
        suspended,
        foreign: their_agents.remove(0),
        first,
        revoked,
        expired: short,
        elsewhere,
        theirs,
    }
}

impl There {
    /// Returns everything that is bad input: a body, the status of the answer, and what it says.
    fn bad(&self) -> Vec<(Value, u16, &'static str)> {
        let (a, b, c) = (&self.agents[0], &self.agents[1], &self.agents[2]);
        let body = |from: &str, to: &str, scope: Value, more: Value| {
            let mut body = json!({ "from_agent_id": from, "to_agent_id": to, "scope": scope });
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            body
        };
        let given = |more: Value| body(a, b, json!(["files:read"]), more);
        let restricted = |restrictions: Value| given(json!({ "restrictions": restrictions }));
        let on = |scope: Value| body(b, c, scope, under(&self.first));
        let many: Vec<String> = (0..257).map(|n| format!("files:{n}")).collect();
        let parent = |id: &str| body(b, c, json!(["files:read"]), under(id));
        vec![
            // Cycles, and self-delegation.
            (body(b, a, json!(["files:read"]), under(&self.first)), 400, "in this chain already"),
            (body(b, b, json!(["files:read"]), under(&self.first)), 400, "is the agent that gives"),
            (body(a, a, json!(["files:read"]), json!({})), 400, "is the agent that gives"),
            // Widening by notation.
            (on(json!(["files:*"])), 403, "outside the scope of delegation"),
            (on(json!(["files/*"])), 403, "outside the scope of delegation"),
            (on(json!(["*"])), 403, "outside the scope of delegation"),
            (on(json!(["files:read", "web_search"])), 403, "outside the scope of delegation"),
            (on(json!(["FILES:READ"])), 403, "outside the scope of delegation"),
            (on(json!(["files:read "])), 403, "outside the scope of delegation"),
            (body(&self.agents[3], c, json!(["a/*"]), under(&self.elsewhere)), 403, "outside"),
            (body(a, b, json!(["files/*"]), json!({})), 403, "no capability"),
            (body(a, b, json!(["f*"]), json!({})), 400, "scope"),
            // Parents that are none.
            (parent(&self.revoked), 404, "does not work: it, or one"),
            (parent(&self.expired), 404, "does not work: it, or one"),
            (parent(&self.theirs), 404, "does not work: it, or one"),
            (parent("dlg_none"), 404, "does not work: it, or one"),
            (parent(&self.elsewhere), 403, "cannot hand it on"),
            (parent("dlg\u{7}"), 400, "parent_delegation_id holds a control character"),
            // Times that are none.
            (given(json!({ "ttl_seconds": 0 })), 400, "ttl_seconds is 0"),
            (given(json!({ "ttl_seconds": -1 })), 400, "ttl_seconds"),
            (given(json!({ "ttl_seconds": 9_223_372_036_854_775_808_u64 })), 400, "ttl_seconds"),
            (given(json!({ "ttl_seconds": "3600" })), 400, "ttl_seconds"),
            (given(json!({ "ttl_seconds": 2_592_001 })), 400, "at most"),
            // Scopes that are none.
            (body(a, b, json!([]), json!({})), 400, "would give nothing"),
            (body(a, b, json!(many), json!({})), 400, "257 entries"),
            (body(a, b, json!([""]), json!({})), 400, "scope[0] is empty"),
            (body(a, b, json!("files:read"), json!({})), 400, "scope is not as it must be"),
            // Restrictions of the wrong type.
            (given(json!({ "restrictions": [] })), 400, "restrictions is not as it must be"),
            (given(json!({ "restrictions": "none" })), 400, "restrictions is not as it must be"),
            (restricted(json!({ "tools": "files:read" })), 400, "restrictions.tools is not a list"),
            (restricted(json!({ "servers": [1] })), 400, "restrictions.servers is not a list"),
            (restricted(json!({ "max_calls": "1" })), 400, "restrictions.max_calls is no whole"),
            (restricted(json!({ "not_after": 1 })), 400, "restrictions.not_after is no point"),
            (restricted(json!({ "max_cals": 1 })), 400, "did you mean max_calls?"),
            (given(json!({ "max_calls": 1 })), 400, "use restrictions.max_calls"),
            // Agents that are none, or rest.
            (body(&self.suspended, b, json!(["files:read"]), json!({})), 403, "is suspended"),
            (body(a, &self.suspended, json!(["files:read"]), json!({})), 403, "is suspended"),
            (body(&self.foreign, b, json!(["files:read"]), json!({})), 404, "there is no agent"),
            (body(a, &self.foreign, json!(["files:read"]), json!({})), 404, "there is no agent"),
        ]
    }
}

fn code(status: u16) -> &'static str {
    match status {
        400 => "VALIDATION_ERROR",
        403 => "AUTH_DENIED",
        _ => "NOT_FOUND",
    }
}

#[tokio::test]
async fn whatever_is_bad_input_is_refused_clearly_and_recorded_and_nothing_is_made() {
    let there = there().await;
    let api = &there.api;
    let before = all(api).await;
    for (body, status, said) in there.bad() {
        let (key, key_id) = key(api, "operator").await;
        let answer = api.post(DELEGATIONS, &key, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        answer.refused(status, code(status)).says(said);
        let row = row(api, &key_id).await;
        assert_eq!(row["body"]["operation"], "create");
        assert_eq!(row["body"]["code"], code(status));
        assert_eq!(row["body"]["message"], answer.body["message"]);
        assert_eq!(row["body"]["from_agent_id"], body["from_agent_id"]);
        assert_eq!(row["body"]["to_agent_id"], body["to_agent_id"]);
        let named = body["parent_delegation_id"].as_str().filter(|id| !id.contains('\u{7}'));
        assert_eq!(row["body"]["parent_delegation_id"].as_str(), named);
    }
    assert_eq!(all(api).await, before);
}

/// Sends this text as the body of a request for a delegation.
async fn sent(api: &Api, key: &str, body: String) -> Answer {
    let request = Request::post(DELEGATIONS).header("X-API-Key", key);
    api.send(request.header("Content-Type", "application/json").body(Body::from(body)).unwrap())
        .await
}

#[tokio::test]
async fn member_that_is_there_twice_is_refused_wherever_it_is() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let with = |more: &str| {
        let (from, to) = (&agents[0], &agents[1]);
        format!(
            r#"{{"from_agent_id":"{from}","to_agent_id":"{to}","scope":["files:read"],{more}}}"#
        )
    };
    for (more, name) in [
        (r#""restrictions":{"max_calls":1,"max_calls":1000}"#, "`max_calls`"),
        (r#""restrictions":{"tools":["files:read"],"max_calls":1,"tools":["*"]}"#, "`tools`"),
        (r#""restrictions":{"max_calls":1,"max\u005fcalls":1000}"#, "`max_calls`"),
        (r#""restrictions":{"max_calls":1},"restrictions":{}"#, "`restrictions`"),
        (r#""ttl_seconds":60,"ttl_seconds":3600"#, "`ttl_seconds`"),
    ] {
        let (key, key_id) = key(&api, "operator").await;
        let answer = sent(&api, &key, with(more)).await;
        answer.refused(400, "VALIDATION_ERROR").says("duplicate field").says(name);
        assert_eq!(row(&api, &key_id).await["body"]["to_agent_id"], *agents[1]);
    }
    assert_eq!(all(&api).await, json!([]));
    sent(&api, ADMIN, with(r#""restrictions":{"max_calls":1}"#)).await.ok();
}

#[tokio::test]
async fn refused_session_and_refused_revocation_are_recorded_too() {
    let there = there().await;
    let api = &there.api;
    let path = |id: &str| format!("{DELEGATIONS}/{id}");
    let last =
        give(api, (&there.agents[1], &there.agents[2]), &["files:read"], under(&there.first));
    let last = last.await;
    // The agent in the middle rests meanwhile.
    api.post(&format!("/api/v1/agents/{}/suspend", there.agents[1]), ADMIN, json!({})).await.ok();
    for (id, status, said) in [
        (last.as_str(), 403, "is suspended"),
        (&there.revoked, 404, "does not work: it, or one"),
        (&there.expired, 404, "does not work: it, or one"),
        (&there.theirs, 404, "does not work: it, or one"),
        ("dlg_none", 404, "does not work: it, or one"),
    ] {
        let (key, key_id) = key(api, "admin").await;
        let answer = api.post(&format!("{}/session", path(id)), &key, json!({})).await;
        answer.refused(status, code(status)).says(said);
        let body = row(api, &key_id).await["body"].clone();
        assert_eq!(
            (&body["operation"], &body["delegation_id"]),
            (&json!("init_session"), &json!(id))
        );
        assert_eq!(body["message"], answer.body["message"]);
    }
    for id in [&there.revoked, &there.expired, &there.theirs, "dlg_none"] {
        let (key, key_id) = key(api, "operator").await;
        let answer = revoke(api, &key, id).await;
        answer.refused(404, "NOT_FOUND");
        let body = row(api, &key_id).await["body"].clone();
        assert_eq!((&body["operation"], &body["delegation_id"]), (&json!("revoke"), &json!(id)));
    }
    assert_eq!(all(api).await.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn what_a_role_or_a_header_forbids_is_recorded_and_who_is_unknown_is_not() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let body =
        json!({ "from_agent_id": agents[0], "to_agent_id": agents[1], "scope": ["files:read"] });
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "auditor" })).await.ok();
    api.post(DELEGATIONS, &made.text("key"), body.clone()).await.refused(403, "AUTH_DENIED");
    let told = row(&api, &made.text("id")).await;
    assert_eq!(told["body"]["code"], "AUTH_DENIED");
    // What such a caller sends is not read.
    assert!(told["body"].get("from_agent_id").is_none());
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": "agent", "agents": [agents[0]] }));
    let made = made.await.ok();
    let other = api.with(&[("X-Agent-ID", &agents[1])]);
    let path = format!("{DELEGATIONS}/dlg_1");
    other.ask(Method::DELETE, &path, &made.text("key"), None).await.refused(403, "AUTH_DENIED");
    assert_eq!(row(&api, &made.text("id")).await["body"]["delegation_id"], "dlg_1");
    api.post(DELEGATIONS, "sk_live_nobody", body).await.refused(401, "AUTH_FAILED");
    assert_eq!(api.audit("delegation.refused").await.len(), 2);
    // Reading is none of these.
    api.get(&format!("{DELEGATIONS}/dlg_none"), ADMIN).await.refused(404, "NOT_FOUND");
    assert_eq!(api.audit("delegation.refused").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_revocations_at_once_the_one_that_comes_late_is_recorded_as_refused() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let id = give(&api, (&agents[0], &agents[1]), &["files:read"], json!({})).await;
    let session = begun(&api, &id).await;
    let (one, other) = join(revoke(&api, ADMIN, &id), revoke(&api, ADMIN, &id)).await;
    let late = [one, other].iter().filter(|answer| answer.status == 404).count();
    assert!(late < 2);
    assert_eq!(api.audit("delegation.refused").await.len(), late);
    assert!(!api.audit("delegation.revoked").await.is_empty());
    api.check_in(ADMIN, &agents[1], "files:read", &session).await.denied("not open");
    let key = api.key(Role::Operator, &[]).await;
    revoke(&api, &key, &id).await.refused(404, "NOT_FOUND");
    assert_eq!(api.audit("delegation.refused").await.len(), late + 1);
}
