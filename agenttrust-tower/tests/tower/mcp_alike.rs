//! One call over MCP is one action, whichever layer reads it: an approval that was given while a server
//! was a process of its own holds when it is behind a proxy.

use agenttrust::AgentTrustGuard;
use agenttrust_tower::{GuardLayer, McpHttpLayer};
use axum::body::Body;
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_mcp::protocol::{McpRequest, McpResponse, RequestId};
use tower_mcp::{CallToolResult, RouterRequest, RouterResponse};

use crate::guardian::{Guardian, Script};

const KEY: [u8; 32] = [7; 32];

fn guard(guardian: &Guardian) -> AgentTrustGuard {
    AgentTrustGuard::builder(guardian.client(), "agt_1").binding_key(KEY).build()
}

/// The tool and the digest that a call has over HTTP.
async fn over_http(params: &Value) -> (String, String) {
    let guardian = Guardian::new(Script::Allow);
    let service = McpHttpLayer::new(guard(&guardian)).server("notes").layer(service_fn(
        |_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::empty())) },
    ));
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let request = Request::post("/mcp").body(Body::from(message.to_string())).expect("a request");
    service.oneshot(request).await.expect("an answer");
    asked(&guardian)
}

/// The same to a server of tower-mcp.
async fn to_a_router(params: &Value) -> (String, String) {
    let guardian = Guardian::new(Script::Allow);
    let service = GuardLayer::mcp_router(guard(&guardian)).server("notes").layer(service_fn(
        |request: RouterRequest| async move {
            let inner = Ok(McpResponse::CallTool(CallToolResult::text("done")));
            Ok::<_, BoxError>(RouterResponse { id: request.id, inner })
        },
    ));
    let params = serde_json::from_value(params.clone()).expect("parameters");
    let request = RouterRequest::new(RequestId::Number(1), McpRequest::CallTool(params));
    service.oneshot(request).await.expect("an answer");
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
    let params = json!({ "name": "read", "arguments": {}, "task": { "ttl": 1 } });
    let input = json!([{}, null, null, { "task": { "ttl": 1 } }]);
    assert_eq!(over_http(&params).await, ("notes/read".to_owned(), digest(&input)));
}
