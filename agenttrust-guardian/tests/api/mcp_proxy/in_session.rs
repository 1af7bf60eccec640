//! What is handed on without a check is so of callers that may act in the session that they name, and of no others.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::{Value, json};

use super::{ACCEPTS, Fixture, Speaks, knowing_tasks, modern, of_session, read, request};
use crate::delegations::{begun, give, revoke};

type Headers<'a> = Vec<(&'a str, &'a str)>;

fn told(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// Returns what a client of sessions sends that is not checked.
fn of_sessions() -> Vec<Value> {
    let error = json!({ "code": -1, "message": "no" });
    let asked = ["ping", "tools/list", "prompts/list", "resources/list", "tasks/list", "unknown"];
    let mut all: Vec<_> = asked.map(|method| request(1, method, json!({}))).into();
    all.extend([
        request(1, "logging/setLevel", json!({ "level": "debug" })),
        request(1, "resources/subscribe", json!({ "uri": "a:b" })),
        request(1, "tasks/get", json!({ "taskId": "t" })),
        told("notifications/initialized", json!({})),
        told("notifications/cancelled", json!({ "requestId": 1 })),
        told("notifications/progress", json!({ "progressToken": 1, "progress": 1 })),
        told("notifications/roots/list_changed", json!({})),
        told("notifications/unknown", json!({})),
        json!({ "jsonrpc": "2.0", "id": "q1", "result": {} }),
        json!({ "jsonrpc": "2.0", "id": "q1", "error": error }),
    ]);
    all
}

/// Returns what one of the era without them sends, with its headers.
fn of_modern() -> Vec<(Vec<(&'static str, String)>, Value)> {
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let asked = [
        request(1, "server/discover", json!({})),
        request(1, "tools/list", json!({})),
        request(1, "subscriptions/listen", listen),
        knowing_tasks(request(1, "tasks/get", json!({ "taskId": "t" }))),
    ];
    let mut all: Vec<_> = asked.map(modern).into();
    let version = vec![("mcp-protocol-version", "2026-07-28".to_owned())];
    all.push((version, told("notifications/cancelled", json!({ "requestId": 1 }))));
    let unknown = request(
        1,
        "tools/list",
        json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2099-01-01" } }),
    );
    all.push((vec![("mcp-protocol-version", "2099-01-01".to_owned())], unknown));
    all
}

/// Keys and sessions with which nothing is handed on.
struct Strangers {
    gateway: String,
    sessions: Vec<String>,
}

impl Strangers {
    async fn of(fixture: &Fixture) -> Self {
        let api = &fixture.api;
        let revoked = api.session(ADMIN, &fixture.agent, json!({})).await.ok().text("session_id");
        let path = format!("/api/v1/sessions/{revoked}/revoke");
        api.post(&path, ADMIN, json!({ "reason": "" })).await.ok();
        let (other, _) = api.worker().await;
        let of_other = api.session(ADMIN, &other, json!({})).await.ok().text("session_id");
        let given = give(api, (&other, &fixture.agent), &["files/*"], json!({})).await;
        let delegated = begun(api, &given).await;
        revoke(api, ADMIN, &given).await.ok();
        let unknown = ["ats_unknown".to_owned(), "dlg_unknown".to_owned()];
        let sessions = [revoked, of_other, delegated].into_iter().chain(unknown).collect();
        Self { gateway: api.key(Role::Gateway, &[]).await, sessions }
    }

    /// Returns how they come.
    fn come<'a>(&'a self, fixture: &'a Fixture) -> Vec<Headers<'a>> {
        let of_key = self
            .sessions
            .iter()
            .map(|session| vec![("x-api-key", &*fixture.key), ("x-session-id", session.as_str())]);
        let gateway = [("x-api-key", &*self.gateway), ("x-agent-id", &*fixture.agent)];
        let generated = [&gateway[..], &[("x-session-id", "chat-7")]].concat();
        of_key.chain([gateway.to_vec(), generated]).collect()
    }
}

/// Sends it as each of the strangers, and expects that the server hears nothing of it.
async fn refused(
    fixture: &Fixture,
    strangers: &Strangers,
    (method, headers): (Method, &[(&str, &str)]),
    body: Option<&Value>,
) {
    for stranger in strangers.come(fixture) {
        let heard = fixture.upstream.heard().len();
        let all = [&stranger, headers].concat();
        let body = body.map(Value::to_string);
        let said = read(fixture.begin_as(method.clone(), &all, body.clone()).await).await;
        said.refused(403, -32600, "");
        assert_eq!(fixture.upstream.heard().len(), heard, "{method} {body:?} of {stranger:?}");
    }
}

#[tokio::test]
async fn nothing_reaches_a_server_of_sessions_from_who_may_not_act_in_the_session_named() {
    let fixture = Fixture::of(Speaks::Legacy, &["echo"]).await;
    let (session, strangers) = (fixture.session().await, Strangers::of(&fixture).await);
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {} });
    let begins = request(0, "initialize", params);
    refused(&fixture, &strangers, (Method::POST, &[ACCEPTS]), Some(&begins)).await;
    for message in of_sessions() {
        refused(&fixture, &strangers, (Method::POST, &of_session(&session)), Some(&message)).await;
        refused(&fixture, &strangers, (Method::POST, &[]), Some(&message)).await;
    }
    for method in [Method::GET, Method::DELETE] {
        refused(&fixture, &strangers, (method.clone(), &of_session(&session)), None).await;
        refused(&fixture, &strangers, (method, &[ACCEPTS]), None).await;
    }
    let told = fixture.api.audit("mcp.refused").await;
    let named = |what: &str| told.iter().any(|row| row["body"]["method"] == what);
    assert!(named("initialize") && named("ping"), "{told:?}");
    // With the session of its own that it was given, all of it passes.
    assert_eq!(fixture.in_session(&session, of_sessions()[0].clone()).await.status, 200);
}

#[tokio::test]
async fn nothing_reaches_a_server_without_sessions_from_who_may_not_act_in_the_session_named() {
    let fixture = Fixture::of(Speaks::Modern, &["echo"]).await;
    let strangers = Strangers::of(&fixture).await;
    for (headers, message) in of_modern() {
        let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        refused(&fixture, &strangers, (Method::POST, &headers), Some(&message)).await;
    }
    for message in of_sessions() {
        refused(&fixture, &strangers, (Method::POST, &[]), Some(&message)).await;
    }
    let version = [("mcp-protocol-version", "2026-07-28")];
    for method in [Method::GET, Method::DELETE] {
        refused(&fixture, &strangers, (method, &version), None).await;
    }
    fixture.modern(request(1, "tools/list", json!({}))).await;
    assert_eq!(fixture.upstream.count("tools/list"), 2, "the proxy's own and the client's");
}
