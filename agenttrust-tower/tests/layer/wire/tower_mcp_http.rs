//! tower-mcp over HTTP, which keeps one layer only: the guard is one of several in it.

use std::time::Duration;

use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::timeout::TimeoutLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_mcp::{CallToolResult, HttpTransport, McpRouter, NoParams, ToolBuilder};

use crate::guardian::{Guardian, Script};
use crate::wire::served::Counter;
use crate::wire::watch::{Watch, assert_failure, assert_success};

/// Returns a server with a tool that counts its calls and one that never ends, behind guard and
/// time-out.
fn server(watch: &Watch, calls: &Counter) -> Router {
    let (counted, hanging) = (calls.clone(), calls.clone());
    let wipe = ToolBuilder::new("wipe").handler(move |_: NoParams| {
        counted.count();
        async { Ok(CallToolResult::text("wiped")) }
    });
    let hang = ToolBuilder::new("hang").handler(move |_: NoParams| {
        hanging.count();
        std::future::pending()
    });
    let router = McpRouter::new().server_info("t", "1").tool(wipe.build()).tool(hang.build());
    let layers = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_millis(500)))
        .layer(GuardLayer::mcp_router(watch.guard.clone()));
    HttpTransport::new(router).layer(layers).into_router()
}

/// Sends a message; returns the session that the answer names, and the answer.
async fn send(server: &Router, session: Option<&str>, message: &Value) -> (Option<String>, String) {
    let mut request = Request::post("/")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let request = request.body(Body::from(message.to_string())).expect("a request");
    let answer = server.clone().oneshot(request).await.expect("infallible");
    let session = answer.headers().get("mcp-session-id").and_then(|value| value.to_str().ok());
    let session = session.map(str::to_owned);
    let text = answer.into_body().collect().await.expect("a body").to_bytes();
    (session, String::from_utf8_lossy(&text).into_owned())
}

/// Returns a session, after the handshake.
async fn opened(server: &Router) -> String {
    let who = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let (session, said) = send(server, None, &initialize).await;
    let session = session.unwrap_or_else(|| panic!("no session: {said}"));
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    send(server, Some(&session), &initialized).await;
    session
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": tool } })
}

#[tokio::test]
async fn a_guard_among_other_layers_denies_as_it_does_alone() {
    let (watch, calls) = (Watch::new(Guardian::new(Script::Deny)), Counter::default());
    let server = server(&watch, &calls);
    let session = opened(&server).await;
    let (_, said) = send(&server, Some(&session), &call("wipe")).await;
    assert!(said.contains("ACTION_DENIED"), "{said}");
    assert_eq!((calls.counted(), watch.guardian.checks().len()), (0, 1));
}

#[tokio::test]
async fn the_layers_beside_the_guard_do_their_work_too() {
    let (watch, calls) = (Watch::new(Guardian::new(Script::Allow)), Counter::default());
    let server = server(&watch, &calls);
    let session = opened(&server).await;
    let (_, said) = send(&server, Some(&session), &call("wipe")).await;
    assert!(said.contains("wiped"), "{said}");
    assert_success(&watch.report().await);
    let (_, said) = send(&server, Some(&session), &call("hang")).await;
    assert!(said.contains("error"), "it was not ended: {said}");
    assert_failure(&watch.report_after(1).await, "Cancelled");
    assert_eq!((calls.counted(), watch.guardian.checks().len()), (2, 2));
}
