//! One call over MCP is one action, whichever layer reads it: an approval that was given while a server
//! was a process of its own holds when it is behind a proxy.

use agenttrust::AgentTrustGuard;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use agenttrust_tower::{GuardLayer, McpHttpLayer};
use axum::body::Body;
use http::{Request, Response};
use rmcp::ServerHandler;
use rmcp::model::{NumberOrString, UpdateTaskParams};
use rmcp::service::{RequestContext, serve_directly};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_mcp::protocol::{McpRequest, McpResponse, RequestId};
use tower_mcp::{CallToolResult, RouterRequest, RouterResponse};

use crate::guardian::{Guardian, Script};

const KEY: [u8; 32] = [7; 32];

fn guard(guardian: &Guardian) -> AgentTrustGuard {
    AgentTrustGuard::builder(guardian.client(), "agt_1").binding_key(KEY).build()
}

/// Returns the tool and the digest that a call has over HTTP.
async fn over_http(params: &Value) -> (String, String) {
    sent_over_http("tools/call", params).await
}

async fn sent_over_http(method: &str, params: &Value) -> (String, String) {
    let guardian = Guardian::new(Script::Allow);
    let service = McpHttpLayer::new(guard(&guardian)).server("notes").layer(service_fn(
        |_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::empty())) },
    ));
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = Request::post("/mcp").body(Body::from(message.to_string())).expect("a request");
    service.oneshot(request).await.expect("an answer");
    asked(&guardian)
}

/// Returns the same to a server of tower-mcp.
async fn to_a_router(params: &Value) -> (String, String) {
    sent_to_a_router(McpRequest::CallTool(serde_json::from_value(params.clone()).expect("one")))
        .await
}

async fn sent_to_a_router(request: McpRequest) -> (String, String) {
    let guardian = Guardian::new(Script::Allow);
    let service = GuardLayer::mcp_router(guard(&guardian)).server("notes").layer(service_fn(
        |request: RouterRequest| async move {
            let inner = Ok(McpResponse::CallTool(CallToolResult::text("done")));
            Ok::<_, BoxError>(RouterResponse { id: request.id, inner })
        },
    ));
    let request = RouterRequest::new(RequestId::Number(1), request);
    service.oneshot(request).await.expect("an answer");
    asked(&guardian)
}

/// Returns the same to a handler of rmcp.
async fn sent_to_a_handler(update: UpdateTaskParams) -> (String, String) {
    #[derive(Clone)]
    struct Handler;
    impl ServerHandler for Handler {}
    let guardian = Guardian::new(Script::Allow);
    let handler = Handler.guarded(guard(&guardian)).server("notes");
    let (server, _client) = tokio::io::duplex(64);
    let peer = serve_directly(Handler, server, None).peer().clone();
    // That the handler has no tasks is its answer, and no matter here.
    let _ = handler.update_task(update, RequestContext::new(NumberOrString::Number(1), peer)).await;
    asked(&guardian)
}

fn asked(guardian: &Guardian) -> (String, String) {
    let [check] = &guardian.checks()[..] else { panic!("one call is one check") };
    (check.tool.clone(), check.digest.clone())
}

fn digest(input: &Value) -> String {
    agenttrust::guard::digest::commit(&KEY, input).expect("it can be digested").digest
}

#[tokio::test]
async fn a_call_is_the_same_action_whoever_reads_it() {
    let arguments = json!({ "name": "plan", "n": 1 });
    for (params, input) in [
        (json!({ "name": "read", "arguments": arguments }), arguments.clone()),
        (json!({ "name": "read", "arguments": arguments, "_meta": { "a": 1 } }), arguments.clone()),
        (json!({ "name": "read" }), json!({})),
        (
            json!({ "name": "read", "arguments": arguments, "requestState": "s" }),
            json!([arguments, null, "s"]),
        ),
    ] {
        let expected = ("notes/read".to_owned(), digest(&input));
        assert_eq!(over_http(&params).await, expected, "{params}");
        assert_eq!(to_a_router(&params).await, expected, "{params}");
    }
}

#[tokio::test]
async fn whatever_else_a_call_says_is_bound_as_well() {
    let arguments = json!({ "name": "plan" });
    for (params, input) in [
        (
            json!({ "name": "read", "task": { "ttl": 1 } }),
            json!([{}, null, null, { "task": { "ttl": 1 } }]),
        ),
        (
            json!({ "name": "read", "arguments": arguments, "requestState": "s", "task": {} }),
            json!([arguments, null, "s", { "task": {} }]),
        ),
    ] {
        let expected = ("notes/read".to_owned(), digest(&input));
        assert_eq!(over_http(&params).await, expected, "{params}");
        assert_eq!(to_a_router(&params).await, expected, "{params}");
    }
}

#[tokio::test]
async fn an_update_of_a_task_is_the_same_action_whoever_reads_it() {
    let answers = json!({ "which": { "action": "accept", "content": { "path": "/etc" } } });
    for answers in [answers, json!({})] {
        let params = json!({ "taskId": "t", "inputResponses": answers });
        let expected = ("notes/mcp/tasks/update".to_owned(), digest(&params));
        assert_eq!(sent_over_http("tasks/update", &params).await, expected);
        let update = McpRequest::UpdateTask(serde_json::from_value(params.clone()).expect("one"));
        assert_eq!(sent_to_a_router(update).await, expected);
        let update = serde_json::from_value(params).expect("parameters of an update");
        assert_eq!(sent_to_a_handler(update).await, expected);
    }
}
