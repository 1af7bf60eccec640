//! tower-mcp behind the guard, with its own client: what is not permitted calls no tool.

use agenttrust::Effect;
use agenttrust_tower::GuardLayer;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_mcp::client::{ChannelTransport, McpClient};
use tower_mcp::protocol::{McpRequest, RequestId};
use tower_mcp::{CallToolResult, McpRouter, NoParams, RouterRequest, Tool, ToolBuilder};

use crate::guardian::{Guardian, Script};
use crate::wire::served::Counter;
use crate::wire::watch::{Watch, assert_failure, assert_success};

/// Returns a tool that counts its calls, of this `kind`.
fn counting(name: &str, calls: &Counter, kind: fn(ToolBuilder) -> ToolBuilder) -> Tool {
    let calls = calls.clone();
    kind(ToolBuilder::new(name))
        .handler(move |_: NoParams| {
            calls.count();
            async { Ok(CallToolResult::text("done")) }
        })
        .build()
}

fn router(calls: &Counter) -> McpRouter {
    let failing = ToolBuilder::new("broken")
        .non_destructive()
        .handler(|_: NoParams| async { Ok(CallToolResult::error("it is broken")) })
        .build();
    McpRouter::new()
        .server_info("tools", "1.0.0")
        .tool(counting("look", calls, ToolBuilder::read_only))
        .tool(counting("note", calls, ToolBuilder::non_destructive))
        .tool(counting("wipe", calls, |builder| builder))
        .tool(failing)
}

/// Returns a client of that router behind a layer.
async fn connected(guardian: &Watch, calls: &Counter) -> McpClient {
    let layer = GuardLayer::mcp_router(guardian.guard.clone()).server("tools");
    let transport = ChannelTransport::layer(router(calls), layer);
    let client = McpClient::connect(transport).await.expect("it is there");
    client.initialize("test", "1.0.0").await.expect("this passes");
    client
}

#[tokio::test]
async fn a_denied_tool_does_not_run_and_the_model_reads_why() {
    for (script, code) in [
        (Script::Deny, "ACTION_DENIED"),
        (Script::Hold, "ELEVATION_REQUIRED"),
        (Script::Unreachable, "GUARDIAN_UNAVAILABLE"),
        (Script::Status(401), "GUARD_MISCONFIGURED"),
    ] {
        let calls = Counter::default();
        let client = connected(&Watch::new(Guardian::new(script)), &calls).await;
        assert_eq!(client.list_tools().await.expect("this passes").tools.len(), 4);
        let denied = client.call_tool("wipe", json!({})).await.expect("a result");
        assert!(denied.is_error, "{script:?}");
        assert!(denied.all_text().contains("not made"), "{script:?}: {}", denied.all_text());
        let meta = denied.meta.expect("a word for programs");
        assert!(meta.to_string().contains(code), "{script:?}: {meta}");
        assert_eq!(calls.counted(), 0, "{script:?} reached the tool");
    }
}

#[tokio::test]
async fn a_tool_is_asked_about_by_the_annotations_that_the_server_gave_it() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let calls = Counter::default();
    let client = connected(&watch, &calls).await;
    for (known, (tool, effect)) in
        [("look", "read"), ("note", "mutating"), ("wipe", "destructive")].into_iter().enumerate()
    {
        let result = client.call_tool(tool, json!({})).await.expect("a result");
        assert_eq!(result.all_text(), "done");
        let check = watch.guardian.checks().pop().expect("it was asked about");
        assert_eq!((check.tool, check.effect.as_str()), (format!("tools/{tool}"), effect));
        assert_success(&watch.report_after(known).await);
    }
    client.call_tool("broken", json!({})).await.expect("a result");
    assert_failure(&watch.report_after(3).await, "ToolError");
    client.call_tool("nowhere", json!({})).await.expect_err("there is no such tool");
    assert_eq!(watch.guardian.checks().pop().expect("asked about").effect, "destructive");
    assert_failure(&watch.report_after(4).await, "JsonRpcError");
    assert_eq!(calls.counted(), 3);
}

#[tokio::test]
async fn one_tool_is_guarded_and_its_neighbours_are_not() {
    let watch = Watch::new(Guardian::new(Script::Deny));
    let calls = Counter::default();
    let counter = calls.clone();
    let purge = ToolBuilder::new("purge")
        .handler(move |_: NoParams| {
            counter.count();
            async { Ok(CallToolResult::text("purged")) }
        })
        .layer(GuardLayer::mcp_tool(watch.guard.clone(), "purge").effect(Effect::Admin))
        .build();
    let transport = ChannelTransport::new(router(&calls).tool(purge));
    let client = McpClient::connect(transport).await.expect("it is there");
    client.initialize("test", "1.0.0").await.expect("this passes");
    let denied = client.call_tool("purge", json!({})).await.expect("a result");
    assert!(denied.is_error && denied.all_text().contains("not made"), "{denied:?}");
    assert_eq!(calls.counted(), 0);
    client.call_tool("look", json!({})).await.expect("a result");
    assert_eq!(calls.counted(), 1);
    let checks = watch.guardian.checks();
    assert_eq!(checks.len(), 1);
    assert_eq!((checks[0].tool.as_str(), checks[0].effect.as_str()), ("purge", "admin"));
}

#[tokio::test]
async fn what_is_said_of_a_tool_goes_before_its_annotations() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let calls = Counter::default();
    let layer =
        GuardLayer::mcp_router(watch.guard.clone()).server("tools").effects(|tool| match tool {
            "look" => Some(Effect::Admin),
            "wipe" => Some(Effect::Mutating),
            _ => None,
        });
    let transport = ChannelTransport::layer(router(&calls), layer);
    let client = McpClient::connect(transport).await.expect("it is there");
    client.initialize("test", "1.0.0").await.expect("this passes");
    for (tool, effect) in [("look", "admin"), ("wipe", "mutating"), ("note", "mutating")] {
        client.call_tool(tool, json!({})).await.expect("a result");
        let check = watch.guardian.checks().pop().expect("it was asked about");
        assert_eq!((check.tool, check.effect.as_str()), (format!("tools/{tool}"), effect));
    }
}

/// Calls `wipe` with these parameters, without a client in between.
async fn called(watch: &Watch, params: Value) -> Value {
    let params = serde_json::from_value(params).expect("parameters of a call");
    let request = RouterRequest::new(RequestId::Number(1), McpRequest::CallTool(params));
    let guarded = GuardLayer::mcp_router(watch.guard.clone()).layer(router(&Counter::default()));
    let response = guarded.oneshot(request).await.expect("infallible");
    serde_json::to_value(response.inner.expect("a result")).expect("JSON")
}

#[tokio::test]
async fn what_a_client_answers_to_a_tool_is_part_of_the_input() {
    let watch = Watch::new(Guardian::new(Script::Hold));
    let answered = |path: &str| {
        let content = json!({ "path": path });
        json!({ "which": { "action": "accept", "content": content } })
    };
    for params in [
        json!({ "name": "wipe", "arguments": { "a": 1 } }),
        json!({ "name": "wipe", "arguments": { "a": 1 }, "inputResponses": answered("one") }),
        json!({ "name": "wipe", "arguments": { "a": 1 }, "inputResponses": answered("two") }),
        json!({ "name": "wipe", "arguments": { "a": 1 }, "requestState": "one" }),
        json!({ "name": "wipe", "arguments": { "a": 1 }, "requestState": "two" }),
    ] {
        assert_eq!(called(&watch, params).await["isError"], true);
    }
    let mut digests: Vec<_> =
        watch.guardian.checks().into_iter().map(|check| check.digest).collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 5, "two calls had one digest");
}

#[tokio::test]
async fn what_is_no_call_of_a_tool_is_refused_and_nobody_is_asked() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    for name in ["", "lo\nok", &"l".repeat(201)] {
        let refused = called(&watch, json!({ "name": name })).await;
        assert!(refused.to_string().contains("REQUEST_REFUSED"), "{refused}");
    }
    for arguments in [json!([{ "a": 1 }, [null, "one"]]), json!("a"), json!(1)] {
        let refused = called(&watch, json!({ "name": "look", "arguments": arguments })).await;
        assert_eq!(refused["isError"], true, "{refused}");
        assert!(refused.to_string().contains("REQUEST_REFUSED"), "{refused}");
    }
    assert_eq!(watch.guardian.checks().len(), 0);
}
