//! `tasks/update` lets a tool that asked for more go on, with answers that no Guardian was asked
//! about.

use agenttrust::Effect;
use http::Version;
use serde_json::{Value, json};

use crate::connection::{Connection, post};
use crate::guardian::Script;
use crate::mcp::guarded_server::GuardedServer;
use crate::mcp::messages::{Bad, INVALID_PARAMS, INVALID_REQUEST, all_refused};

fn update(params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tasks/update", "params": params })
}

fn answered(path: &str) -> Value {
    json!({ "which": { "action": "accept", "content": { "path": path } } })
}

#[tokio::test]
async fn a_task_is_not_told_answers_that_were_denied() {
    let server = GuardedServer::with(Script::Deny, |layer| layer.server("notes")).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    let message = update(json!({ "taskId": "t", "inputResponses": answered("/etc") }));
    let denied = connection.post(&message).await.json();
    assert_eq!(server.heard().len(), 0, "the task went on: {denied}");
    // It has no result that could say so.
    assert_eq!((&denied["id"], denied.get("result")), (&json!(7), None), "{denied}");
    assert_eq!(denied["error"]["data"]["code"], "ACTION_DENIED", "{denied}");
    let [check] = &server.guardian.checks()[..] else { panic!("one check") };
    let asked = (check.tool.as_str(), check.effect.as_str());
    assert_eq!(asked, ("notes/mcp/tasks/update", "destructive"));
}

#[tokio::test]
async fn an_approval_of_an_update_is_for_this_task_and_these_answers() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    for params in [
        json!({ "taskId": "t", "inputResponses": answered("a") }),
        json!({ "taskId": "u", "inputResponses": answered("a") }),
        json!({ "taskId": "t", "inputResponses": answered("b") }),
        json!({ "taskId": "t", "inputResponses": answered("a"), "requestState": "s" }),
        json!({ "taskId": "t" }),
        // As the first one.
        json!({ "taskId": "t", "inputResponses": answered("a"), "_meta": { "a": 1 } }),
    ] {
        let mut request = post(update(params.clone()).to_string());
        let task = params["taskId"].as_str().and_then(|task| task.parse().ok()).expect("a name");
        request.headers_mut().insert("mcp-name", task);
        assert_eq!(connection.send(request).await.status, 200, "{params}");
    }
    let mut digests: Vec<_> =
        server.guardian.checks().into_iter().map(|check| check.digest).collect();
    assert_eq!((digests.len(), &digests[0]), (6, &digests[5]));
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 5, "an approval of one is one of another");
}

#[tokio::test]
async fn its_effect_is_what_was_said_of_it() {
    let server = GuardedServer::with(Script::Allow, |layer| layer.tasks(Effect::Mutating)).await;
    let mut connection = Connection::open(server.address, Version::HTTP_11).await;
    connection.post(&update(json!({ "taskId": "t", "inputResponses": {} }))).await;
    let [check] = &server.guardian.checks()[..] else { panic!("one check") };
    assert_eq!((check.tool.as_str(), check.effect.as_str()), ("mcp/tasks/update", "mutating"));
    assert_eq!(server.report().await["success"], true);
}

#[tokio::test]
async fn an_update_that_cannot_be_read_is_refused() {
    let server = GuardedServer::open(Script::Allow).await;
    let mut bad: Vec<_> = [
        json!({}),
        json!({ "inputResponses": {} }),
        json!({ "taskId": 1 }),
        json!({ "taskId": "" }),
        json!({ "TaskId": "t", "inputResponses": {} }),
        json!({ "taskId": "t", "TaskID": "u", "inputResponses": {} }),
        json!({ "taskId": "t", "inputResponses": [] }),
        json!({ "taskId": "t", "inputResponses": "which" }),
    ]
    .map(|params| Bad::text(update(params).to_string(), INVALID_PARAMS, 7))
    .into();
    let good = json!({ "taskId": "t", "inputResponses": {} });
    let other = update(good.clone()).to_string().replace("tasks/update", "Tasks/Update");
    bad.push(Bad::text(other, INVALID_REQUEST, 7));
    let notified = json!({ "jsonrpc": "2.0", "method": "tasks/update", "params": good });
    bad.push(Bad::text(notified.to_string(), INVALID_REQUEST, Value::Null));
    all_refused(&server, &bad).await;
}
