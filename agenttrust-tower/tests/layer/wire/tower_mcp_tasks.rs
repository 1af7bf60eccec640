//! Tasks of tower-mcp: a tool goes on with the answers of `tasks/update`, and a client that waits for a
//! task reads nothing else.

use std::convert::Infallible;

use agenttrust::Effect;
use agenttrust_tower::tower_mcp::{McpRouterDeny, McpRouterExtract};
use agenttrust_tower::{GuardLayer, Guarded};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_mcp::protocol::{McpRequest, McpResponse, RequestId};
use tower_mcp::{EmptyResult, JsonRpcError, RouterRequest, RouterResponse};

use crate::guardian::{Guardian, Script};
use crate::wire::served::Counter;
use crate::wire::watch::{Watch, assert_success};

type Layered = GuardLayer<McpRouterExtract, McpRouterDeny>;

/// Returns a guarded server that counts what reaches it.
fn server(
    layer: Layered,
    calls: &Counter,
) -> Guarded<
    impl Service<RouterRequest, Response = RouterResponse, Error = Infallible, Future: Send> + Clone,
    McpRouterExtract,
    McpRouterDeny,
> {
    let calls = calls.clone();
    layer.layer(service_fn(move |request: RouterRequest| {
        calls.count();
        async move {
            let inner = Ok(McpResponse::UpdateTask(EmptyResult {}));
            Ok(RouterResponse { id: request.id, inner })
        }
    }))
}

/// Returns what a server answers to this request; nothing of it reaches the server where that is `denied`.
async fn answered(
    layer: Layered,
    request: McpRequest,
    denied: bool,
) -> Result<McpResponse, JsonRpcError> {
    let calls = Counter::default();
    let request = RouterRequest::new(RequestId::Number(7), request);
    let response = server(layer, &calls).oneshot(request).await.expect("infallible");
    assert_eq!(response.id, RequestId::Number(7));
    assert_eq!(calls.counted(), usize::from(!denied), "{:?}", response.inner);
    response.inner
}

fn update(task: &str, path: &str) -> McpRequest {
    let answers = json!({ "which": { "action": "accept", "content": { "path": path } } });
    let params = json!({ "taskId": task, "inputResponses": answers });
    McpRequest::UpdateTask(serde_json::from_value(params).expect("parameters"))
}

fn call(params: Value) -> McpRequest {
    McpRequest::CallTool(serde_json::from_value(params).expect("parameters"))
}

#[tokio::test]
async fn a_task_is_not_told_answers_that_were_denied() {
    let watch = Watch::new(Guardian::new(Script::Deny));
    let layer = GuardLayer::mcp_router(watch.guard.clone()).server("tools");
    let denied = answered(layer, update("t", "/etc"), true).await.expect_err("it is denied");
    assert!(denied.message.contains("it is not covered"), "{denied:?}");
    assert_eq!(denied.data.expect("a word for programs")["code"], "ACTION_DENIED");
    let [check] = &watch.guardian.checks()[..] else { panic!("one check") };
    let asked = (check.tool.as_str(), check.effect.as_str());
    assert_eq!(asked, ("tools/mcp/tasks/update", "destructive"));
}

#[tokio::test]
async fn an_approval_of_an_update_is_for_this_task_and_these_answers() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let layer = GuardLayer::mcp_router(watch.guard.clone()).tasks(Effect::Mutating);
    for (place, (task, path)) in
        [("t", "a"), ("u", "a"), ("t", "b"), ("t", "a")].into_iter().enumerate()
    {
        answered(layer.clone(), update(task, path), false).await.expect("it is allowed");
        assert_success(&watch.report_after(place).await);
    }
    let checks = watch.guardian.checks();
    assert!(checks.iter().all(|check| check.effect == "mutating"), "{checks:?}");
    let [one, other_task, other_answer, again] =
        [0, 1, 2, 3].map(|place: usize| &checks[place].digest);
    assert!(one != other_task && one != other_answer && other_task != other_answer);
    assert_eq!(one, again);
}

#[tokio::test]
async fn an_update_that_cannot_be_read_is_refused() {
    let watch = Watch::new(Guardian::new(Script::Allow));
    let layer = GuardLayer::mcp_router(watch.guard.clone());
    let method = "tasks/update".to_owned();
    let unknown = McpRequest::Unknown { method, params: Some(json!({ "taskId": "t" })) };
    let refused = answered(layer, unknown, true).await.expect_err("it is refused");
    assert_eq!(refused.data.expect("a word for programs")["code"], "REQUEST_REFUSED");
    assert_eq!(watch.guardian.checks().len(), 0);
}

#[tokio::test]
async fn a_client_that_waits_for_a_task_is_told_by_an_error() {
    let watch = Watch::new(Guardian::new(Script::Deny));
    let layer = GuardLayer::mcp_router(watch.guard.clone());
    let as_task = call(json!({ "name": "wipe", "task": { "ttl": 60_000 } }));
    let denied = answered(layer.clone(), as_task, true).await.expect_err("no result that is none");
    assert!(denied.message.contains("it is not covered"), "{denied:?}");
    assert_eq!(
        (denied.code, &denied.data.expect("data")["code"]),
        (-32600, &json!("ACTION_DENIED"))
    );
    let plain = answered(layer, call(json!({ "name": "wipe" })), true).await;
    assert!(matches!(plain, Ok(McpResponse::CallTool(result)) if result.is_error));
}
