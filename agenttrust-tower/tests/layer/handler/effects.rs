//! The tool and the effect that a call is asked about.

use agenttrust::Effect;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use rmcp::ServerHandler;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use serde_json::json;

use crate::guardian::{Guardian, Script};
use crate::handler::server::{Files, call, client, context, of_file};

/// Returns which effect a call of `tool` is asked about with.
async fn effect(tool: &'static str) -> String {
    let guardian = Guardian::new(Script::Allow);
    let client = client(Files::default().guarded(guardian.guard())).await;
    client.call_tool(of_file(tool)).await.expect("a result");
    let [check] = &guardian.checks()[..] else { panic!("one check a call") };
    assert_eq!(check.tool, tool, "the tool's name is changed");
    check.effect.clone()
}

#[tokio::test]
async fn the_effect_is_what_the_annotations_of_this_server_say() {
    assert_eq!(effect("read").await, "read");
    assert_eq!(effect("write").await, "mutating");
    assert_eq!(effect("delete").await, "destructive");
}

#[tokio::test]
async fn a_tool_that_says_too_little_is_destructive_as_mcp_has_it() {
    assert_eq!(effect("silent").await, "destructive");
    assert_eq!(effect("not_only_reading").await, "destructive");
}

/// A handler written by hand, without `get_tool`.
struct ByHand;

impl ServerHandler for ByHand {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: rmcp::service::RequestContext<rmcp::RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

#[tokio::test]
async fn a_handler_without_get_tool_has_destructive_tools_unless_its_effects_say_otherwise() {
    let guardian = Guardian::new(Script::Allow);
    let silent = ByHand.guarded(guardian.guard());
    silent.call_tool(call("search", json!({})), context()).await.expect("a result");
    let said = ByHand.guarded(guardian.guard()).effects(|tool| match tool {
        "search" => Some(Effect::Read),
        "chmod" => Some(Effect::Admin),
        _ => None,
    });
    for tool in ["search", "chmod", "other"] {
        said.call_tool(call(tool, json!({})), context()).await.expect("a result");
    }
    let effects: Vec<_> = guardian.checks().into_iter().map(|check| check.effect).collect();
    assert_eq!(effects, ["destructive", "read", "admin", "destructive"]);
}

#[tokio::test]
async fn effects_go_before_annotations_and_leave_the_rest_to_them() {
    let guardian = Guardian::new(Script::Allow);
    let handler = Files::default()
        .guarded(guardian.guard())
        .effects(|tool| (tool == "read").then_some(Effect::Admin));
    for tool in ["read", "write"] {
        handler.call_tool(of_file(tool), context()).await.expect("a result");
    }
    let effects: Vec<_> = guardian.checks().into_iter().map(|check| check.effect).collect();
    assert_eq!(effects, ["admin", "mutating"]);
}

#[tokio::test]
async fn a_named_server_stands_before_its_tools_and_effects_know_them_without_it() {
    let guardian = Guardian::new(Script::Allow);
    let handler = Files::default()
        .guarded(guardian.guard())
        .server("files")
        .effects(|tool| (tool == "delete").then_some(Effect::Admin));
    let client = client(handler).await;
    for tool in ["read", "delete"] {
        let result = client.call_tool(of_file(tool)).await.expect("a result");
        assert_eq!(result.is_error, Some(false), "the inner handler knows it by its own name");
    }
    let asked: Vec<_> =
        guardian.checks().into_iter().map(|check| (check.tool, check.effect)).collect();
    let said = |tool: &str, effect: &str| (tool.to_owned(), effect.to_owned());
    assert_eq!(asked, [said("files/read", "read"), said("files/delete", "admin")]);
}
