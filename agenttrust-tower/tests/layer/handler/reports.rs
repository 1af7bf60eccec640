//! Every permitted call leaves exactly one report of the right kind, however it ends.

use agenttrust_tower::rmcp::{GuardedHandler, GuardedHandlerExt};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CreateTaskResult, InputRequiredResult, Task,
    TaskStatus,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::guardian::{Guardian, Script};
use crate::handler::server::{Files, call, client, context, of_file};

fn only(events: &[Value]) -> &Value {
    let [event] = events else { panic!("expected one report, found {events:#?}") };
    event
}

/// Returns what was reported of a call of `tool`.
async fn reported<H: ServerHandler>(guardian: &Guardian, handler: H, tool: &'static str) -> Value
where
    GuardedHandler<H>: ServerHandler,
{
    let guard = guardian.guard();
    let client = client(handler.guarded(guard.clone())).await;
    let _ = client.call_tool(of_file(tool)).await;
    assert_eq!(guardian.checks().len(), 1, "one check a call");
    only(&guardian.events(&guard).await).clone()
}

#[tokio::test]
async fn an_allowed_call_runs_once_and_leaves_one_report() {
    let (guardian, files) = (Guardian::new(Script::Allow), Files::default());
    let event = reported(&guardian, files.clone(), "delete").await;
    assert_eq!(files.runs(), 1);
    assert_eq!(event["tool_name"], "delete");
    assert_eq!(event["success"], true);
}

#[tokio::test]
async fn a_result_that_says_it_is_an_error_is_a_failure_by_its_type_alone() {
    let guardian = Guardian::new(Script::Allow);
    let event = reported(&guardian, Files::default(), "no_such_file").await;
    assert_eq!(event["success"], false);
    assert_eq!(event["error_type"], "ToolError");
    assert!(!event.to_string().contains("secret"), "{event}");
}

#[tokio::test]
async fn a_protocol_error_is_a_failure_by_its_type_alone() {
    let guardian = Guardian::new(Script::Allow);
    let event = reported(&guardian, Files::default(), "breaks").await;
    assert_eq!(event["success"], false);
    assert_eq!(event["error_type"], "ErrorData");
    assert!(!event.to_string().contains("fire"), "{event}");
}

#[tokio::test]
async fn a_denied_call_leaves_no_report() {
    let guardian = Guardian::new(Script::Deny);
    let guard = guardian.guard();
    let client = client(Files::default().guarded(guard.clone())).await;
    client.call_tool(of_file("delete")).await.expect("a result");
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

/// A server whose tools ask for more, start a task, or panic.
struct Unfinished;

impl ServerHandler for Unfinished {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match request.name.as_ref() {
            "asks" => Ok(InputRequiredResult::from_request_state("later").into()),
            "starts" => {
                let now = "2026-01-01T00:00:00Z";
                let task = Task::new("task_1", TaskStatus::Working, now, now);
                Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
            }
            _ => panic!("a tool that breaks"),
        }
    }
}

#[tokio::test]
async fn a_call_that_asks_for_more_or_starts_a_task_has_worked() {
    for tool in ["asks", "starts"] {
        let guardian = Guardian::new(Script::Allow);
        let guard = guardian.guard();
        let handler = Unfinished.guarded(guard.clone());
        handler.call_tool(call(tool, json!({})), context()).await.expect("a response");
        assert_eq!(only(&guardian.events(&guard).await)["success"], true, "{tool}");
    }
}

#[tokio::test]
async fn a_tool_that_panics_leaves_one_report() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let handler = Unfinished.guarded(guard.clone());
    let task = tokio::spawn(async move {
        let _ = handler.call_tool(call("panics", json!({})), context()).await;
    });
    assert!(task.await.is_err_and(|error| error.is_panic()));
    assert_eq!(only(&guardian.events(&guard).await)["error_type"], "Panic");
}
