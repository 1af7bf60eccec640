//! Who may do what: every endpoint with every role.

mod subjects;

use std::sync::Arc;

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use axum::http::Method;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use self::subjects::Federation;
pub(crate) use self::subjects::{Subjects, fetched_task, quiet_destination};
use crate::authzen;
use crate::support::open;

/// Whether agent, gateway, auditor, operator and admin may.
type May = [bool; 5];

const NO: bool = false;
const OK: bool = true;

/// The endpoints: method, route as the router writes it, and which roles may.
const TABLE: &[(&str, &str, May)] = &[
    //                                                     agent gateway auditor operator admin
    ("post", "/api/v1/agents", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/agents", [OK, NO, OK, OK, OK]),
    ("get", "/api/v1/agents/{id}", [OK, NO, OK, OK, OK]),
    ("patch", "/api/v1/agents/{id}", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/revoke", [NO, NO, NO, OK, OK]),
    ("post", "/api/v1/agents/{id}/suspend", [NO, NO, NO, OK, OK]),
    ("post", "/api/v1/agents/{id}/reactivate", [NO, NO, NO, OK, OK]),
    ("put", "/api/v1/agents/{id}/floor", [NO, NO, NO, OK, OK]),
    ("post", "/api/v1/agents/{id}/inbox/next", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/inbox/{task_id}/complete", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/inbox/{task_id}/fail", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/inbox/{task_id}/extend", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/card", [NO, NO, NO, OK, OK]),
    ("get", "/api/v1/agents/{id}/card", [OK, NO, OK, OK, OK]),
    ("get", "/api/v1/agents/{id}/card/options", [NO, NO, NO, OK, OK]),
    ("put", "/api/v1/agents/{id}/card/publish", [NO, NO, NO, OK, OK]),
    ("delete", "/api/v1/agents/{id}/card/publish", [NO, NO, NO, OK, OK]),
    ("post", "/api/v1/cards/keys/rotate", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/agents/{id}/challenge", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/wimse/token", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/wimse/verify", [OK, OK, OK, OK, OK]),
    ("get", "/api/v1/agent-tokens", [OK, NO, OK, OK, OK]),
    ("post", "/api/v1/agent-tokens/issue", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agent-tokens/introspect", [OK, OK, OK, OK, OK]),
    ("post", "/api/v1/agent-tokens/revoke", [OK, NO, NO, OK, OK]),
    ("post", "/api/v1/agent-tokens/{id}/revoke", [OK, NO, NO, OK, OK]),
    ("get", "/api/v1/revocations/stream", [NO, OK, OK, OK, OK]),
    ("post", "/api/v1/agenttrust/check", [OK, OK, NO, NO, OK]),
    ("post", "/access/v1/evaluation", [OK, OK, NO, NO, OK]),
    ("post", "/access/v1/evaluations", [OK, OK, NO, NO, OK]),
    ("post", "/access/v1/requests", [OK, OK, NO, NO, OK]),
    ("get", "/access/v1/requests/{id}", [OK, NO, OK, OK, OK]),
    ("post", "/access/v1/requests/{id}/cancel", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/agenttrust/api-sessions/init", [OK, OK, NO, NO, OK]),
    ("post", "/api/v1/telemetry/report", [OK, OK, NO, NO, OK]),
    ("get", "/api/v1/sessions", [OK, OK, OK, OK, OK]),
    ("post", "/api/v1/sessions/{id}/revoke", [OK, NO, NO, OK, OK]),
    ("post", "/mcp/sessions/init", [OK, NO, NO, NO, OK]),
    ("get", "/mcp/sessions/{id}", [OK, OK, OK, OK, OK]),
    ("post", "/api/v1/delegations", [OK, NO, NO, OK, OK]),
    ("get", "/api/v1/delegations", [OK, NO, OK, OK, OK]),
    ("get", "/api/v1/delegations/{id}", [OK, NO, OK, OK, OK]),
    ("delete", "/api/v1/delegations/{id}", [OK, NO, NO, OK, OK]),
    ("post", "/api/v1/delegations/{id}/session", [OK, NO, NO, NO, OK]),
    ("post", "/mcp/servers", [NO, NO, NO, NO, OK]),
    ("get", "/mcp/servers", [OK, OK, OK, OK, OK]),
    ("get", "/mcp/servers/{id}", [OK, OK, OK, OK, OK]),
    ("delete", "/mcp/servers/{id}", [NO, NO, NO, NO, OK]),
    ("get", "/mcp/servers/{id}/tools", [OK, OK, OK, OK, OK]),
    ("post", "/mcp/servers/{id}/tools/{tool}/accept", [NO, NO, NO, OK, OK]),
    ("post", "/api/v1/federation/providers", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/federation/providers", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/federation/providers/{id}", [NO, NO, OK, OK, OK]),
    ("patch", "/api/v1/federation/providers/{id}", [NO, NO, NO, NO, OK]),
    ("delete", "/api/v1/federation/providers/{id}", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/federation/test", [NO, NO, OK, OK, OK]),
    ("post", "/api/v1/federation/tokens/verify", [OK, OK, OK, OK, OK]),
    ("post", "/api/v1/federation/tokens/introspect", [OK, OK, OK, OK, OK]),
    ("post", "/api/v1/federation/tokens/issue", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/federation/tokens/revoke", [OK, NO, NO, OK, OK]),
    ("post", "/api/v1/federation/sessions/init", [OK, OK, NO, NO, OK]),
    ("get", "/mcp/approvals", [OK, OK, OK, OK, OK]),
    ("get", "/mcp/approvals/{id}", [OK, NO, OK, OK, OK]),
    ("post", "/mcp/approvals/{id}/approve", [NO, NO, NO, OK, OK]),
    ("post", "/mcp/approvals/{id}/deny", [NO, NO, NO, OK, OK]),
    ("put", "/mcp/approvals/{id}/input", [OK, NO, NO, NO, OK]),
    ("post", "/api/v1/keys", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/keys", [NO, NO, NO, NO, OK]),
    ("delete", "/api/v1/keys/{id}", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/keys/{id}/rotate", [NO, NO, NO, NO, OK]),
    ("put", "/api/v1/tools", [OK, NO, NO, OK, OK]),
    ("get", "/api/v1/tools", [OK, NO, OK, OK, OK]),
    ("delete", "/api/v1/tools/{name}", [NO, NO, NO, OK, OK]),
    ("put", "/api/v1/tools/{name}/effect", [NO, NO, NO, OK, OK]),
    ("delete", "/api/v1/tools/{name}/effect", [NO, NO, NO, OK, OK]),
    ("get", "/metrics", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/policies", [NO, NO, OK, OK, OK]),
    ("put", "/api/v1/policies", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/policies/reload", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/webhooks", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/webhooks", [NO, NO, OK, OK, OK]),
    ("delete", "/api/v1/webhooks/{id}", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/webhooks/{id}/deliveries", [NO, NO, OK, OK, OK]),
    ("post", "/api/v1/siem/destinations", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/siem/destinations", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/siem/destinations/{id}", [NO, NO, OK, OK, OK]),
    ("put", "/api/v1/siem/destinations/{id}", [NO, NO, NO, NO, OK]),
    ("delete", "/api/v1/siem/destinations/{id}", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/siem/destinations/{id}/logs", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/siem/destinations/{id}/set-aside", [NO, NO, OK, OK, OK]),
    ("post", "/api/v1/siem/destinations/{id}/test", [NO, NO, NO, NO, OK]),
    ("post", "/api/v1/siem/destinations/{id}/replay", [NO, NO, NO, NO, OK]),
    ("get", "/api/v1/audit", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/audit/logs", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/audit/checkpoints", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/audit/verify", [NO, NO, OK, OK, OK]),
    ("get", "/api/v1/audit/export", [NO, NO, OK, OK, OK]),
];

/// Returns what the id in a route is of.
fn named<'a>(subjects: &'a Subjects, route: &str) -> &'a str {
    if route.contains("/federation/providers/") {
        return subjects.federation.as_ref().map_or("", |federation| &federation.provider);
    }
    if let Some(access) = subjects.access.as_ref().filter(|_| route.starts_with("/access/")) {
        return &access.task;
    }
    [
        ("/agents/", &subjects.harness.agent),
        ("/agent-tokens/", &subjects.token_id),
        ("/delegations/", &subjects.delegation),
        ("/sessions/", &subjects.session),
        ("/approvals/", &subjects.approval),
        ("/webhooks/", &subjects.webhook),
        ("/siem/destinations/", &subjects.destination),
        ("/mcp/servers/", &subjects.mcp_server.0),
    ]
    .into_iter()
    .find_map(|(part, id)| route.contains(part).then_some(id))
    .unwrap_or(&subjects.spare_key)
}

/// Returns every route of the table.
fn routes() -> Vec<&'static str> {
    TABLE.iter().map(|(_, route, _)| *route).collect()
}

/// Returns the body of a request about federation.
fn of_federation(subjects: &Subjects, method: &str, route: &str) -> Option<Value> {
    let Federation { issuer, token, .. } = subjects.federation.as_ref().unwrap();
    match (method, route) {
        ("delete", _) => None,
        ("patch", _) => Some(json!({ "name": "another" })),
        (_, "/api/v1/federation/providers") => Some(json!({
            "issuer": issuer.url(), "name": "more", "audiences": ["https://guardian.example"],
        })),
        (_, "/api/v1/federation/tokens/issue") => {
            Some(json!({ "agent_id": subjects.harness.agent, "scopes": [] }))
        }
        _ => Some(json!({ "token": token })),
    }
}

/// Returns the body of a request of AuthZEN.
fn of_access(subjects: &Subjects, route: &str) -> Option<Value> {
    match route {
        "/access/v1/requests" => subjects.access.as_ref().map(|it| it.submission.clone()),
        "/access/v1/requests/{id}/cancel" => Some(json!({})),
        _ => Some(json!({
            "subject": { "type": "agent", "id": subjects.harness.agent }, "action": { "name": "search" },
            "resource": { "type": "file", "id": "a" }, "context": { "session_id": subjects.session },
        })),
    }
}

/// Returns what is sent so that only the role can be in the way.
pub(crate) fn request(
    subjects: &Subjects,
    method: &str,
    route: &str,
) -> (Method, String, Option<Value>) {
    let agent = &subjects.harness.agent;
    let id = named(subjects, route);
    let body = match (method, route) {
        (_, route) if method != "get" && route.starts_with("/api/v1/federation/") => {
            of_federation(subjects, method, route)
        }
        ("get" | "delete", _) => None,
        (_, route) if route.starts_with("/access/") => of_access(subjects, route),
        (_, "/api/v1/agents") | ("patch", "/api/v1/agents/{id}") => {
            Some(json!({ "name": "another" }))
        }
        (_, "/api/v1/agent-tokens/issue") => Some(json!({ "agent_id": agent, "scopes": [] })),
        (_, "/api/v1/wimse/token") => Some(json!({ "agent_id": agent })),
        (_, "/api/v1/wimse/verify")
        | (_, "/api/v1/agent-tokens/introspect" | "/api/v1/agent-tokens/revoke")
        | (_, "/api/v1/agenttrust/api-sessions/init") => Some(json!({ "token": subjects.token })),
        (_, "/api/v1/agenttrust/check") => Some(json!({
            "agent_id": agent, "action_name": "search", "session_id": subjects.session,
        })),
        (_, "/api/v1/telemetry/report") => {
            Some(json!({ "agent_id": agent, "session_id": subjects.session, "events": [] }))
        }
        (_, "/api/v1/delegations") => Some(json!({
            "from_agent_id": agent, "to_agent_id": subjects.other, "scope": ["search"],
        })),
        (_, "/mcp/sessions/init") => Some(json!({ "agent_id": agent, "server_id": "files" })),
        (_, "/mcp/servers") => Some(json!({ "name": "more", "url": "https://mcp.example.com/" })),
        (_, "/mcp/servers/{id}/tools/{tool}/accept") => {
            Some(json!({ "digest": subjects.mcp_server.1 }))
        }
        (_, "/mcp/approvals/{id}/input") => {
            Some(json!({ "input": { "table": "users" }, "r": subjects.digest }))
        }
        (_, "/api/v1/agents/{id}/floor") => Some(json!({ "mode": "open" })),
        (_, "/api/v1/agents/{id}/inbox/{task_id}/fail") => {
            Some(json!({ "lease_id": subjects.task.1, "reason": "no time" }))
        }
        (_, route) if route.contains("/inbox/{task_id}/") => {
            Some(json!({ "lease_id": subjects.task.1 }))
        }
        (_, "/api/v1/webhooks") => Some(json!({
            "url": "https://hooks.example.com/", "events": ["approval.pending"],
        })),
        (_, "/api/v1/siem/destinations") => Some(quiet_destination()),
        (_, "/api/v1/siem/destinations/{id}") => Some(json!({ "name": "another" })),
        (_, "/api/v1/siem/destinations/{id}/replay") => {
            Some(json!({ "since": "2026-01-02T03:04:05Z" }))
        }
        (_, "/api/v1/keys") => Some(json!({ "role": "operator" })),
        (_, "/api/v1/policies") => Some(json!({
            "files": [{ "name": "all.cedar", "text": "permit (principal, action, resource);" }],
        })),
        (_, "/api/v1/tools") => Some(json!({ "tools": [{ "name": "search" }] })),
        (_, "/api/v1/tools/{name}/effect") => Some(json!({ "effect": "read" })),
        _ => Some(json!({})),
    };
    let path = route.replace("{id}", id).replace("{name}", "search").replace("{tool}", "search");
    let path = path.replace("{task_id}", &subjects.task.0);
    (method.to_uppercase().parse().unwrap(), path, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_is_open_to_exactly_the_roles_of_the_table() {
    // Those who only read change nothing, nor do those who may not, so they all have the same.
    let shared = &Arc::new(Subjects::of(&routes()).await);
    stream::iter(TABLE)
        .map(|(method, route, may)| {
            tokio::spawn(is_open_to_exactly(Arc::clone(shared), method, route, may))
        })
        .buffer_unordered(4)
        .for_each(async |tried| tried.unwrap())
        .await;
}

async fn is_open_to_exactly(
    shared: Arc<Subjects>,
    method: &'static str,
    route: &'static str,
    may: &'static May,
) {
    for (role, may) in Role::ALL.into_iter().zip(may) {
        let own = if *may && method != "get" { Some(Subjects::of(&[route]).await) } else { None };
        let subjects = own.as_ref().unwrap_or(&shared);
        let bound: &[&str] = if role == Role::Agent { &[&subjects.harness.agent] } else { &[] };
        let key = subjects.harness.key(role, bound).await;
        let (method, mut path, mut body) = request(subjects, method, route);
        let mut key = key;
        if role == Role::Gateway && AT_GATEWAY.contains(&route) {
            let (session, gateway) = &subjects.at_gateway;
            path = path.replace(&subjects.session, session);
            key.clone_from(gateway);
            // Wherever the body names it.
            let replaced = body.map(|body| body.to_string().replace(&subjects.session, session));
            body = replaced.map(|body| serde_json::from_str(&body).unwrap());
        }
        if role == Role::Gateway && route == authzen::REQUESTS {
            body = subjects.access.as_ref().map(|access| access.at_gateway.clone());
            key.clone_from(&subjects.at_gateway.1);
        }
        let answer = subjects.harness.ask(method.clone(), &path, &key, body).await;
        if *may {
            assert!(answer.status.is_success(), "{role} {method} {route}: {answer:?}");
        } else if role == Role::Gateway && OWN_APPROVAL.contains(&route) {
            let is_task = route.starts_with(authzen::REQUESTS);
            assert_eq!(answer.status, 404, "{role} {method} {route}: {answer:?}");
            assert_eq!(answer.body.get("error").is_none(), is_task, "{answer:?}");
        } else {
            answer.refused(403, "AUTH_DENIED");
        }
    }
}

/// The requests of a gateway about a session that it opened; no other session serves it.
const AT_GATEWAY: [&str; 4] = [
    "/mcp/sessions/{id}",
    "/api/v1/agenttrust/check",
    "/access/v1/evaluation",
    "/access/v1/evaluations",
];

/// The requests of a gateway about an approval that it asked for; no other exists for it.
const OWN_APPROVAL: [&str; 4] = [
    "/mcp/approvals/{id}",
    "/mcp/approvals/{id}/input",
    "/access/v1/requests/{id}",
    "/access/v1/requests/{id}/cancel",
];

/// Returns the endpoints that the key of an agent reaches.
pub(crate) fn reached_by_agents() -> Vec<(&'static str, String)> {
    let reached = TABLE.iter().filter(|(_, _, may)| may[0]);
    reached.map(|(method, route, _)| (*method, (*route).to_owned())).collect()
}

/// The endpoints of AuthZEN, of whose bodies what is not known is skipped: they are tried in `authzen/bad_input.rs`.
pub(crate) const AUTHZEN: [&str; 4] = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/requests",
    "/access/v1/requests/{id}/cancel",
];

/// The endpoints that speak JSON-RPC: what each message needs is not one thing.
pub(crate) const JSON_RPC: [&str; 3] = ["/mcp/{server_id}", "/a2a", "/a2a/agents/{id}"];

#[tokio::test]
async fn table_holds_every_endpoint_of_the_document_that_takes_a_key() {
    let document = open().await.get("/openapi.json", "").await.ok().body;
    let mut described = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // That of the others, which are open to everybody, is `[{}]`. What answers as MCP and A2A have it is tried
            // in `mcp_proxy/who.rs` and in `a2a/who.rs`.
            if operation["security"] != json!([{}]) && !JSON_RPC.contains(&route.as_str()) {
                described.push((method.as_str(), route.as_str()));
            }
        }
    }
    let mut tabled: Vec<_> = TABLE.iter().map(|(method, route, _)| (*method, *route)).collect();
    described.sort_unstable();
    tabled.sort_unstable();
    assert!(described.len() > 40);
    assert_eq!(described, tabled);
}

#[tokio::test]
async fn agent_key_reaches_only_the_agents_it_is_bound_to() {
    let subjects = Subjects::of(&routes()).await;
    for (method, route, may) in TABLE.iter().filter(|(_, _, may)| may[0]) {
        let api = &subjects.harness;
        let (stranger, other) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
        let key = api.key(Role::Agent, &[&stranger, &other]).await;
        let (method, path, body) = request(&subjects, method, route);
        let answer = subjects.harness.ask(method.clone(), &path, &key, body).await;
        match (*route, may) {
            // What lists leaves out what is not the caller's.
            ("/api/v1/agents", _) => {
                assert_eq!(answer.ok().body["agents"].as_array().unwrap().len(), 2);
            }
            // A tool is nobody's, and an agent may raise what it may use; nor is a server.
            (
                "/api/v1/tools" | "/mcp/servers" | "/mcp/servers/{id}" | "/mcp/servers/{id}/tools",
                _,
            ) => {
                answer.ok();
            }
            ("/mcp/approvals", _) => assert_eq!(answer.ok().body, json!({ "approvals": [] })),
            ("/api/v1/sessions", _) => assert_eq!(answer.ok().body, json!({ "sessions": [] })),
            ("/api/v1/agent-tokens", _) => assert_eq!(answer.ok().body, json!({ "tokens": [] })),
            ("/api/v1/delegations", _) if method == Method::GET => {
                assert_eq!(answer.ok().body, json!({ "delegations": [] }));
            }
            // What is not the caller's is as good as none, and whose it is stays untold.
            (
                "/api/v1/agent-tokens/introspect"
                | "/api/v1/federation/tokens/verify"
                | "/api/v1/federation/tokens/introspect",
                _,
            ) => assert_eq!(answer.ok().body["active"], false),
            ("/access/v1/requests/{id}" | "/access/v1/requests/{id}/cancel", _) => {
                assert!(!answer.body.to_string().contains(&subjects.harness.agent), "{answer:?}");
                assert_eq!(answer.status, 404, "{answer:?}");
            }
            ("/api/v1/wimse/verify", _) => assert_eq!(answer.ok().body["valid"], false),
            ("/api/v1/federation/sessions/init", _) => {
                answer.refused(401, "AUTH_FAILED");
            }
            (
                "/api/v1/agent-tokens/revoke"
                | "/api/v1/agent-tokens/{id}/revoke"
                | "/api/v1/federation/tokens/revoke"
                | "/api/v1/sessions/{id}/revoke"
                | "/api/v1/delegations/{id}"
                | "/api/v1/delegations/{id}/session"
                | "/mcp/sessions/{id}"
                | "/mcp/approvals/{id}"
                | "/mcp/approvals/{id}/input",
                _,
            ) => {
                assert!(!answer.body.to_string().contains(&subjects.harness.agent), "{answer:?}");
                answer.refused(404, "NOT_FOUND");
            }
            _ => {
                answer.refused(403, "AUTH_DENIED");
            }
        }
    }
}

#[tokio::test]
async fn x_agent_id_that_names_another_agent_is_forbidden() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let other = api.agent(&["*"]).await;
    let body = json!({ "agent_id": agent, "action_name": "search" });
    for key in [key.as_str(), ADMIN] {
        let naming =
            async |named: &str| api.check_with(key, &[("x-agent-id", named)], body.clone()).await;
        naming(&agent).await.allowed();
        naming("").await.allowed();
        naming(&other).await.refused(403, "AUTH_DENIED");
    }
    // Also where the request itself names nobody.
    let headers = [("x-agent-id", other.as_str())];
    api.with(&headers).get("/api/v1/agents", &key).await.refused(403, "AUTH_DENIED");
    let init = json!({ "agent_id": agent, "server_id": "files" });
    api.with(&headers).post("/mcp/sessions/init", ADMIN, init).await.refused(403, "AUTH_DENIED");
    let two = [("x-agent-id", agent.as_str()), ("x-agent-id", other.as_str())];
    api.check_with(ADMIN, &two, body).await.refused(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn two_api_keys_in_one_request_are_none() {
    let api = open().await;
    let auditor = api.key(Role::Auditor, &[]).await;
    for second in [auditor.as_str(), ADMIN, ""] {
        let headers = [("x-api-key", second)];
        let answer = api.with(&headers).get("/api/v1/agents", ADMIN).await;
        answer.refused(401, "AUTH_FAILED");
    }
    let headers = [("authorization", "Bearer sk_test_admin"), ("authorization", "Bearer x")];
    let answer = api.with(&headers).get("/api/v1/agents", "").await;
    answer.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn approvals_of_others_do_not_push_out_the_callers_own() {
    let api = open().await;
    let (one, two) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    let key = api.key(Role::Agent, &[&one, &two]).await;
    let first = api.check(ADMIN, &one, "db_delete").await.held();
    let second = api.check(ADMIN, &two, "db_delete").await.held();
    for _ in 0..51 {
        let other = api.agent(&["*"]).await;
        for tool in 0..20 {
            api.check(ADMIN, &other, &format!("delete_{tool}")).await.held();
        }
    }
    let listed = api.get("/mcp/approvals", &key).await.ok().body;
    let ids: Vec<_> = listed["approvals"].as_array().unwrap().iter().map(|a| &a["id"]).collect();
    assert_eq!(ids, [&second, &first]);
}

#[tokio::test]
async fn health_needs_no_key() {
    let api = open().await;
    let answer = api.get("/health", "").await.ok();
    assert_eq!(answer.body["status"], "healthy");
    api.guardian.close().await;
    let answer = api.get("/health", "").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (503, &json!("unhealthy")));
}
