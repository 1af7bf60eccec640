//! `X-Agent-ID` names the one agent that a request is for: every endpoint keeps to it.

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::authzen;
use crate::roles::fetched_task;
use crate::support::{Api, open};

/// The records of one of two agents that share a key.
struct Own {
    agent: String,
    token: String,
    token_id: String,
    /// An opaque token of federation.
    federated: String,
    /// A workload token.
    workload: String,
    session: String,
    approval: String,
    opening: String,
    /// Another agent, and a delegation from it.
    giver: String,
    delegation: String,
    /// An MCP server, which is no agent's.
    server: String,
    /// The body that it submits to request access, and a request that it has submitted.
    submission: Value,
    access_task: String,
    /// A task in its inbox, and the lease by which it was fetched.
    task: (String, String),
}

const DIGEST_KEY: [u8; 32] = [7; 32];

impl Own {
    async fn of(api: &Api, agent: String, key: &str) -> Self {
        let body = json!({ "agent_id": agent, "scopes": [] });
        let issued = api.post("/api/v1/agent-tokens/issue", key, body).await.ok();
        let body = json!({ "agent_id": agent, "scopes": [] });
        let federated = api.post("/api/v1/federation/tokens/issue", key, body).await.ok();
        let federated = federated.text("token");
        let body = json!({ "agent_id": agent });
        let workload = api.post("/api/v1/wimse/token", key, body).await.ok().text("token");
        let session = api.session(key, &agent, json!({})).await.ok().text("session_id");
        let input = json!({ "table": "users" });
        let digest = agenttrust::guard::digest::commit(&DIGEST_KEY, &input).unwrap();
        let headers = [("agenttrust-input-digest", digest.digest.as_str())];
        let body = json!({ "agent_id": agent, "action_name": "db_delete" });
        let approval = api.check_with(key, &headers, body).await.held();
        let (token, token_id) = (issued.text("token"), issued.text("token_id"));
        let giver = api.agent(&["*"]).await;
        let body = json!({ "from_agent_id": giver, "to_agent_id": agent, "scope": ["search"] });
        let made = api.post("/api/v1/delegations", ADMIN, body).await.ok();
        let delegation = made.body["delegation"]["id"].as_str().unwrap().to_owned();
        let opening = digest.opening;
        let body = json!({ "name": agent, "url": "https://mcp.example.com/" });
        let server = api.post("/mcp/servers", ADMIN, body).await.ok().text("id");
        api.post(&format!("/api/v1/agents/{agent}/card"), ADMIN, json!({})).await.ok();
        let task = fetched_task(api, &agent).await;
        let access_task = authzen::task(api, key, &agent).await;
        let submission = authzen::submission(api, key, &authzen::deletes(&agent, "orders")).await;
        Self {
            submission,
            access_task,
            agent,
            token,
            token_id,
            federated,
            workload,
            session,
            approval,
            opening,
            giver,
            delegation,
            server,
            task,
        }
    }
}

/// The way in which an endpoint keeps to the agent that is named.
#[derive(Clone, Copy)]
enum Keeps {
    /// Another agent is forbidden.
    Forbids,
    /// A record of another agent counts as missing.
    Hides,
    /// A record of another agent is not in its list.
    Lists,
    /// A token of another's does not work, which is an answer.
    Inactive,
    /// A token of another agent does not work, and so the agent that has it is not known.
    Refuses,
    /// The endpoint is about no agent in particular, and takes what the named one says.
    Speaks,
}

/// Every endpoint that the key of an agent reaches.
const TABLE: &[(&str, &str, Keeps)] = &[
    ("get", "/api/v1/agents", Keeps::Lists),
    ("get", "/api/v1/agents/{agent}", Keeps::Forbids),
    ("get", "/api/v1/agents/{agent}/card", Keeps::Forbids),
    ("post", "/api/v1/agents/{agent}/inbox/next", Keeps::Forbids),
    ("post", "/api/v1/agents/{agent}/inbox/{task_id}/complete", Keeps::Forbids),
    ("post", "/api/v1/agents/{agent}/inbox/{task_id}/fail", Keeps::Forbids),
    ("post", "/api/v1/agents/{agent}/inbox/{task_id}/extend", Keeps::Forbids),
    ("post", "/api/v1/agents/{agent}/challenge", Keeps::Forbids),
    ("post", "/api/v1/wimse/token", Keeps::Forbids),
    ("post", "/api/v1/wimse/verify", Keeps::Inactive),
    ("get", "/api/v1/agent-tokens", Keeps::Lists),
    ("get", "/api/v1/agent-tokens?agent_id={agent}", Keeps::Forbids),
    ("post", "/api/v1/agent-tokens/issue", Keeps::Forbids),
    ("post", "/api/v1/agent-tokens/introspect", Keeps::Inactive),
    ("post", "/api/v1/agent-tokens/revoke", Keeps::Hides),
    ("post", "/api/v1/agent-tokens/{token_id}/revoke", Keeps::Hides),
    ("post", "/api/v1/agenttrust/check", Keeps::Forbids),
    ("post", "/access/v1/evaluation", Keeps::Forbids),
    ("post", "/access/v1/evaluations", Keeps::Forbids),
    ("post", "/access/v1/requests", Keeps::Forbids),
    ("get", "/access/v1/requests/{access_task}", Keeps::Hides),
    ("post", "/access/v1/requests/{access_task}/cancel", Keeps::Hides),
    ("post", "/api/v1/agenttrust/api-sessions/init", Keeps::Forbids),
    ("post", "/api/v1/telemetry/report", Keeps::Forbids),
    ("get", "/api/v1/sessions", Keeps::Lists),
    ("get", "/api/v1/sessions?agent_id={agent}", Keeps::Forbids),
    ("post", "/api/v1/sessions/{session}/revoke", Keeps::Hides),
    ("post", "/mcp/sessions/init", Keeps::Forbids),
    ("get", "/mcp/sessions/{session}", Keeps::Hides),
    ("get", "/mcp/sessions/shared?agent_id={agent}", Keeps::Hides),
    ("post", "/api/v1/delegations", Keeps::Forbids),
    ("get", "/api/v1/delegations", Keeps::Lists),
    ("get", "/api/v1/delegations?agent_id={agent}", Keeps::Forbids),
    ("get", "/api/v1/delegations/{delegation}", Keeps::Hides),
    ("delete", "/api/v1/delegations/{delegation}", Keeps::Hides),
    ("post", "/api/v1/delegations/{delegation}/session", Keeps::Hides),
    ("post", "/api/v1/federation/tokens/verify", Keeps::Inactive),
    ("post", "/api/v1/federation/tokens/introspect", Keeps::Inactive),
    ("post", "/api/v1/federation/tokens/issue", Keeps::Forbids),
    ("post", "/api/v1/federation/tokens/revoke", Keeps::Hides),
    ("post", "/api/v1/federation/sessions/init", Keeps::Refuses),
    ("get", "/mcp/approvals", Keeps::Lists),
    ("get", "/mcp/approvals?agent_id={agent}", Keeps::Forbids),
    ("get", "/mcp/approvals/{approval}", Keeps::Hides),
    ("put", "/mcp/approvals/{approval}/input", Keeps::Hides),
    ("put", "/api/v1/tools", Keeps::Speaks),
    ("get", "/api/v1/tools", Keeps::Speaks),
    ("get", "/mcp/servers", Keeps::Speaks),
    ("get", "/mcp/servers/{server}", Keeps::Speaks),
    ("get", "/mcp/servers/{server}/tools", Keeps::Speaks),
];

fn body(method: &str, path: &str, own: &Own) -> Option<Value> {
    let agent = &own.agent;
    match (method, path) {
        ("get" | "delete", _) | (_, "/api/v1/delegations/{delegation}/session") => None,
        (_, "/api/v1/delegations") => Some(json!({
            "from_agent_id": agent, "to_agent_id": own.giver, "scope": ["search"],
        })),
        (_, "/api/v1/agent-tokens/issue" | "/api/v1/federation/tokens/issue") => {
            Some(json!({ "agent_id": agent, "scopes": [] }))
        }
        (_, path) if path.starts_with("/api/v1/federation/") => {
            Some(json!({ "token": own.federated }))
        }
        (_, "/api/v1/wimse/token") => Some(json!({ "agent_id": agent })),
        (_, "/api/v1/wimse/verify") => Some(json!({ "token": own.workload })),
        (_, "/api/v1/agenttrust/check") => {
            Some(json!({ "agent_id": agent, "action_name": "search", "session_id": "shared" }))
        }
        (_, "/access/v1/evaluation" | "/access/v1/evaluations") => {
            Some(authzen::deletes(agent, "users"))
        }
        (_, "/access/v1/requests") => Some(own.submission.clone()),
        (_, "/api/v1/telemetry/report") => Some(json!({ "agent_id": agent, "events": [] })),
        (_, "/mcp/sessions/init") => Some(json!({ "agent_id": agent, "server_id": "files" })),
        (_, "/mcp/approvals/{approval}/input") => {
            Some(json!({ "input": { "table": "users" }, "r": own.opening }))
        }
        (_, "/api/v1/tools") => Some(json!({ "tools": [{ "name": "search" }] })),
        (_, "/api/v1/agents/{agent}/inbox/next") => Some(json!({})),
        (_, "/api/v1/agents/{agent}/inbox/{task_id}/fail") => {
            Some(json!({ "lease_id": own.task.1, "reason": "" }))
        }
        (_, path) if path.contains("/inbox/") => Some(json!({ "lease_id": own.task.1 })),
        _ => Some(json!({ "token": own.token })),
    }
}

async fn ask(api: &Api, key: &str, named: &str, (method, path): (&str, &str), own: &Own) -> Answer {
    let body = match path {
        // Their body is a reason.
        "/api/v1/agent-tokens/{token_id}/revoke" | "/api/v1/sessions/{session}/revoke" => {
            Some(json!({ "reason": "a trial" }))
        }
        _ => body(method, path, own),
    };
    let path = path
        .replace("{agent}", &own.agent)
        .replace("{token_id}", &own.token_id)
        .replace("{session}", &own.session)
        .replace("{delegation}", &own.delegation)
        .replace("{server}", &own.server)
        .replace("{task_id}", &own.task.0)
        .replace("{access_task}", &own.access_task)
        .replace("{approval}", &own.approval);
    let method: Method = method.to_uppercase().parse().unwrap();
    api.with(&[("x-agent-id", named)]).ask(method, &path, key, body).await
}

#[tokio::test]
async fn x_agent_id_is_kept_by_every_endpoint_that_the_key_of_an_agent_reaches() {
    for (method, path, keeps) in TABLE {
        let api = open().await;
        let (one, other) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
        let key = api.key(Role::Agent, &[&one, &other]).await;
        for agent in [&one, &other] {
            api.check_in(&key, agent, "search", "shared").await.allowed();
        }
        let own = Own::of(&api, one, &key).await;
        let others = Own::of(&api, other, &key).await;
        let at = format!("{method} {path}");
        let answer = ask(&api, &key, &own.agent, (method, path), &others).await;
        let said = answer.body.to_string();
        match keeps {
            Keeps::Forbids => {
                answer.refused(403, "AUTH_DENIED");
            }
            Keeps::Hides => {
                assert!(!said.contains(&others.agent), "{at}: {said}");
                assert_eq!(answer.status, 404, "{at}: {said}");
                // Those of AuthZEN say so in their own words.
                assert_eq!(answer.body["error"] == "NOT_FOUND", !path.starts_with("/access/"));
            }
            Keeps::Lists => {
                answer.ok();
                assert!(said.contains(&own.agent), "{at}: {said}");
                assert!(!said.contains(&others.agent), "{at}: {said}");
            }
            Keeps::Refuses => {
                answer.refused(401, "AUTH_FAILED");
            }
            Keeps::Inactive => {
                let body = answer.ok().body;
                assert_eq!(body.get("active").unwrap_or(&body["valid"]), false, "{at}");
            }
            Keeps::Speaks => {
                answer.ok();
            }
        }
        // Nothing of it was done, and of its own everything is.
        let answer = ask(&api, &key, &own.agent, (method, path), &own).await;
        assert!(answer.status.is_success(), "{at}: {answer:?}");
        let answer = ask(&api, &key, &others.agent, (method, path), &others).await;
        assert!(answer.status.is_success(), "{at}: {answer:?}");
    }
}

#[test]
fn the_table_holds_every_endpoint_that_the_key_of_an_agent_reaches() {
    let mut tabled: Vec<(&str, String)> = TABLE
        .iter()
        .map(|(method, path, _)| {
            let path = path.split('?').next().unwrap().replace("shared", "{id}");
            let ids = [
                "{agent}",
                "{token_id}",
                "{session}",
                "{delegation}",
                "{approval}",
                "{server}",
                "{access_task}",
            ];
            (*method, ids.iter().fold(path, |path, id| path.replace(id, "{id}")))
        })
        .collect();
    let mut reached = crate::roles::reached_by_agents();
    tabled.sort_unstable();
    tabled.dedup();
    reached.sort_unstable();
    assert_eq!(tabled, reached);
}

#[tokio::test]
async fn x_agent_id_is_kept_by_those_too_who_may_act_for_every_agent() {
    let api = open().await;
    let (one, other) = (api.worker().await, api.worker().await);
    let own = Own::of(&api, one.0, &one.1).await;
    let others = Own::of(&api, other.0, &other.1).await;
    let operator = api.key(Role::Operator, &[]).await;
    let naming = api.with(&[("x-agent-id", &own.agent)]);
    let reason = || Some(json!({}));
    for (method, path, body) in [
        (Method::POST, format!("/api/v1/agents/{}/suspend", others.agent), reason()),
        (Method::POST, format!("/api/v1/agents/{}/revoke", others.agent), reason()),
        (Method::POST, format!("/api/v1/agents/{}/reactivate", others.agent), reason()),
        (
            Method::PUT,
            format!("/api/v1/agents/{}/floor", others.agent),
            Some(json!({ "mode": "supervised" })),
        ),
        (Method::GET, format!("/api/v1/audit?agent_id={}", others.agent), None),
    ] {
        naming.ask(method, &path, &operator, body).await.refused(403, "AUTH_DENIED");
    }
    naming.approve(&operator, &others.approval).await.refused(404, "NOT_FOUND");
    naming.deny(&operator, &others.approval).await.refused(404, "NOT_FOUND");
    let body = json!({ "role": "agent", "agents": [others.agent] });
    naming.post("/api/v1/keys", ADMIN, body).await.refused(403, "AUTH_DENIED");
    for path in ["/api/v1/audit?limit=1000", "/api/v1/audit/export"] {
        let told = naming.get(path, &operator).await.ok().body.to_string();
        assert!(told.contains(&own.agent) && !told.contains(&others.agent), "{path}: {told}");
    }
    assert_eq!(api.approval(&others.approval).await["status"], "pending");
    api.check(&other.1, &others.agent, "search").await.allowed();
    naming.approve(&operator, &own.approval).await.ok();
}

#[tokio::test]
async fn reader_of_revocations_that_names_an_agent_hears_of_that_one() {
    let api = open().await;
    let (one, other) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    let gateway = api.key(Role::Gateway, &[]).await;
    let mut stream = api.with(&[("x-agent-id", &one)]).revocations(&gateway).await;
    for agent in [&other, &one] {
        api.post(&format!("/api/v1/agents/{agent}/suspend"), ADMIN, json!({})).await.ok();
    }
    assert_eq!(stream.revocation().await["agent_id"], one);
}

#[tokio::test]
async fn gateway_that_names_an_agent_sees_what_it_asked_for_that_one() {
    let api = open().await;
    let gateway = api.key(Role::Gateway, &[]).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let agent = api.agent(&["*"]).await;
        let body = json!({ "token": api.token(&agent, &["*"]).await });
        let path = "/api/v1/agenttrust/api-sessions/init";
        let session = api.post(path, &gateway, body).await.ok().text("session_id");
        let approval = api.check_in(&gateway, &agent, "db_delete", &session).await.held();
        held.push((agent, session, approval));
    }
    let naming = api.with(&[("x-agent-id", &held[0].0)]);
    for ((agent, session, approval), sees) in held.iter().zip([true, false]) {
        let approval = naming.get(&format!("/mcp/approvals/{approval}"), &gateway).await;
        let session = naming.get(&format!("/mcp/sessions/{session}"), &gateway).await;
        let listed = naming.get("/api/v1/sessions", &gateway).await.ok().body.to_string();
        assert_eq!(approval.status.is_success(), sees, "{approval:?}");
        assert_eq!(session.status.is_success(), sees, "{session:?}");
        assert_eq!(listed.contains(agent), sees, "{listed}");
    }
}
