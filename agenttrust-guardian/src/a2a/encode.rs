//! Tasks and the news of them, in the words of the version that the caller asked in.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::task::{NOT_COUNTED, Task, TaskEvent, Version, v03};
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::services::tasks::pushes::Push;
use crate::wire;

/// Returns as many messages of a task's history as are wanted, the latest ones.
pub(super) fn shortened(mut task: Task, history: Option<usize>) -> Task {
    if let Some(most) = history {
        let early = task.history.len().saturating_sub(most);
        task.history.drain(..early);
    }
    task
}

/// Returns a result as an answer to the request of this id. What is long is counted for the caller until it is read.
///
/// # Errors
///
/// Too many, and unavailable, where too much is held already.
pub(super) fn answer(
    engine: &Engine,
    key: &Arc<Key>,
    (id, result): (&Value, Value),
) -> Result<Response, Error> {
    let answer = Map::from_iter([
        ("jsonrpc".to_owned(), "2.0".into()),
        ("id".to_owned(), id.clone()),
        ("result".to_owned(), result),
    ]);
    let text = Value::Object(answer).to_string();
    if text.len() <= NOT_COUNTED {
        return Ok(wire::json(StatusCode::OK, text));
    }
    let share = engine.limits.task_bytes.take(key, text.len())?;
    Ok(wire::held_json(StatusCode::OK, text, share))
}

/// Returns a task.
pub(super) fn task(version: Version, task: &Task) -> Value {
    match version {
        Version::V1 => json!(task),
        Version::V03 => v03::task(task),
    }
}

/// Returns what comes of a message.
pub(super) fn sent(version: Version, whole: &Task) -> Value {
    match version {
        Version::V1 => json!({ "task": whole }),
        Version::V03 => v03::task(whole),
    }
}

/// Returns what happens to a task, as text.
pub(super) fn event(version: Version, about: (&str, &str), event: &TaskEvent) -> String {
    match version {
        Version::V1 => in_v1(about, event).to_string(),
        Version::V03 => v03::event(about.0, about.1, event).to_string(),
    }
}

fn in_v1((task_id, context_id): (&str, &str), event: &TaskEvent) -> Value {
    let (kind, mut told, metadata) = match event {
        TaskEvent::Task(whole) => return json!({ "task": whole }),
        TaskEvent::Status { status, metadata } => {
            ("statusUpdate", Map::from_iter([("status".to_owned(), json!(status))]), metadata)
        }
        TaskEvent::Artifact { artifact, append, last_chunk, metadata } => {
            let told = [
                ("artifact".to_owned(), json!(artifact)),
                ("append".to_owned(), Value::Bool(*append)),
                ("lastChunk".to_owned(), Value::Bool(*last_chunk)),
            ];
            ("artifactUpdate", Map::from_iter(told), metadata)
        }
    };
    told.insert("taskId".to_owned(), task_id.into());
    told.insert("contextId".to_owned(), context_id.into());
    if !metadata.is_empty() {
        told.insert("metadata".to_owned(), metadata.clone().into());
    }
    Value::Object(Map::from_iter([(kind.to_owned(), Value::Object(told))]))
}

/// Returns an address that a task is reported to, without the secrets that are sent along.
pub(super) fn push(version: Version, push: &Push) -> Value {
    let mut told = Map::from_iter([
        ("id".to_owned(), Value::from(push.id.as_str())),
        ("url".to_owned(), Value::from(push.url.as_str())),
    ]);
    if let Some(scheme) = &push.scheme {
        let authentication = match version {
            Version::V1 => json!({ "scheme": scheme }),
            Version::V03 => json!({ "schemes": [scheme] }),
        };
        told.insert("authentication".to_owned(), authentication);
    }
    match version {
        Version::V1 => {
            told.insert("taskId".to_owned(), push.task_id.as_str().into());
            Value::Object(told)
        }
        Version::V03 => json!({ "taskId": push.task_id, "pushNotificationConfig": told }),
    }
}

/// Returns all addresses that a task is reported to.
pub(super) fn pushes(version: Version, all: &[Push]) -> Value {
    let all: Vec<Value> = all.iter().map(|one| push(version, one)).collect();
    match version {
        Version::V1 => json!({ "configs": all, "nextPageToken": "" }),
        Version::V03 => all.into(),
    }
}
