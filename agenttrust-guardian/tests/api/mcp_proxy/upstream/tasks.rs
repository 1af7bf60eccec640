//! Tasks of both eras: to the server all agents are one client, and it tells them of every task.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Inner, error, result};

const RELATED: &str = "io.modelcontextprotocol/related-task";

/// Begins a task, which is what a call comes to.
pub(super) fn begun(inner: &Inner, id: &Value, is_modern: bool) -> Response {
    let mut tasks = inner.tasks.lock().unwrap();
    let task = format!("t-{}", tasks.len() + 1);
    tasks.push(task.clone());
    let task = working(&task);
    match is_modern {
        true => {
            let mut task = task;
            task["resultType"] = "task".into();
            result(id, task)
        }
        false => result(id, json!({ "task": task })),
    }
}

/// Returns a task as the server sends it.
fn working(task: &str) -> Value {
    json!({ "taskId": task, "status": "working", "ttlMs": null })
}

/// Answers what is asked of a task.
pub(super) fn answered(inner: &Inner, id: &Value, body: &Value) -> Response {
    let named = body["params"]["taskId"].as_str().unwrap_or_default();
    match body["method"].as_str().unwrap_or_default() {
        "tasks/list" => {
            let tasks = inner.tasks.lock().unwrap();
            let all: Vec<_> = tasks.iter().map(|task| working(task)).collect();
            result(id, json!({ "tasks": all }))
        }
        "tasks/get" | "tasks/cancel" => {
            let mut task = working(named);
            task["resultType"] = "complete".into();
            result(id, task)
        }
        "tasks/result" => {
            let meta = json!({ RELATED: { "taskId": named } });
            result(id, json!({ "content": [], "_meta": meta }))
        }
        "tasks/update" => result(id, json!({ "resultType": "complete" })),
        _ => error(404, id, -32601, "no such method"),
    }
}
