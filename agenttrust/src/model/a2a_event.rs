//! Events of a task while it goes on.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::a2a::{MessageTask, MessageTaskStatus};
use super::a2a_message::{TaskArtifact, TaskMessage};
use super::tolerant::{lenient, or_default};

/// An event of a task while it goes on.
///
/// ```
/// use agenttrust::model::{TaskEvent, TaskState};
///
/// let said = r#"{"kind": "status-update", "taskId": "task_1", "status": {"state": "working"}}"#;
/// let TaskEvent::Status(update) = serde_json::from_str(said)? else { panic!("another event") };
/// assert_eq!(update.status.state, TaskState::Working);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskEvent {
    /// The whole task, as it stands.
    Task(Box<MessageTask>),
    /// A change of the task's state.
    Status(TaskStatusUpdate),
    /// A result of the task, or a piece of one.
    Artifact(TaskArtifactUpdate),
    /// The answer of the task's agent, as a message.
    Message(TaskMessage),
    /// An event that this version does not know.
    Unknown,
}

impl TaskEvent {
    /// Returns how the task stands, where this says so.
    #[must_use]
    pub fn status(&self) -> Option<&MessageTaskStatus> {
        match self {
            Self::Task(task) => Some(&task.status),
            Self::Status(update) => Some(&update.status),
            Self::Artifact(_) | Self::Message(_) | Self::Unknown => None,
        }
    }
}

/// A task stands otherwise than before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskStatusUpdate {
    /// The task.
    #[serde(default, rename = "taskId", deserialize_with = "lenient")]
    pub task_id: String,
    /// The conversation that it is part of.
    #[serde(default, rename = "contextId", deserialize_with = "lenient")]
    pub context_id: String,
    /// The task's new state.
    #[serde(default, deserialize_with = "or_default")]
    pub status: MessageTaskStatus,
    /// Further members that the agent attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// An event with a result of a task, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskArtifactUpdate {
    /// The task.
    #[serde(default, rename = "taskId", deserialize_with = "lenient")]
    pub task_id: String,
    /// The conversation that it is part of.
    #[serde(default, rename = "contextId", deserialize_with = "lenient")]
    pub context_id: String,
    /// The result, or the piece.
    #[serde(default, deserialize_with = "or_default")]
    pub artifact: TaskArtifact,
    /// Whether its parts follow those of the artifact with the same id.
    #[serde(default, deserialize_with = "lenient")]
    pub append: bool,
    /// Whether no piece of it follows.
    #[serde(default, rename = "lastChunk", deserialize_with = "lenient")]
    pub last_chunk: bool,
    /// Further members that the agent attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// The event is read as A2A 0.3 has it, with its kind in a member, and as 1.0 has it, wrapped in a member that is named
/// after the kind. An event without either is a task: some gateways send nothing else.
impl<'de> Deserialize<'de> for TaskEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut said = Value::deserialize(deserializer)?;
        let kind = said.get("kind").and_then(Value::as_str).map(str::to_owned);
        let wrapped = ["task", "message", "statusUpdate", "artifactUpdate"];
        let wrapped = wrapped.into_iter().find_map(|name| {
            let inner = said.get_mut(name).filter(|inner| kind.is_none() && inner.is_object())?;
            Some((name, inner.take()))
        });
        let event = match wrapped {
            Some((name, inner)) => of_kind(name, inner),
            None => of_kind(kind.as_deref().unwrap_or("task"), said),
        };
        event.map_err(serde::de::Error::custom)
    }
}

fn of_kind(kind: &str, said: Value) -> serde_json::Result<TaskEvent> {
    Ok(match kind {
        "task" => TaskEvent::Task(Box::new(serde_json::from_value(said)?)),
        "message" => TaskEvent::Message(serde_json::from_value(said)?),
        "status-update" | "statusUpdate" => TaskEvent::Status(serde_json::from_value(said)?),
        "artifact-update" | "artifactUpdate" => TaskEvent::Artifact(serde_json::from_value(said)?),
        _ => TaskEvent::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{TaskRole, TaskState};

    fn read(said: Value) -> TaskEvent {
        serde_json::from_value(said).unwrap()
    }

    #[test]
    fn events_are_the_same_in_both_versions() {
        let old = |kind: &str| json!({ "kind": kind, "taskId": "t", "contextId": "c" });
        let with = |mut object: Value, name: &str, value: Value| {
            object[name] = value;
            object
        };
        let pairs = [
            (
                with(old("status-update"), "status", json!({ "state": "input-required" })),
                json!({ "statusUpdate": { "taskId": "t", "contextId": "c", "status": { "state": "TASK_STATE_INPUT_REQUIRED" } } }),
            ),
            (
                with(old("artifact-update"), "artifact", json!({ "artifactId": "a", "parts": [] })),
                json!({ "artifactUpdate": { "taskId": "t", "contextId": "c", "artifact": { "artifactId": "a" } } }),
            ),
            (
                with(old("message"), "role", json!("agent")),
                json!({ "message": { "taskId": "t", "contextId": "c", "role": "ROLE_AGENT" } }),
            ),
            (
                json!({ "kind": "task", "id": "t", "status": { "state": "canceled" } }),
                json!({ "task": { "id": "t", "status": { "state": "TASK_STATE_CANCELED" } } }),
            ),
        ];
        for (old, new) in pairs {
            assert_eq!(read(old), read(new));
        }
        assert_eq!(read(json!({ "kind": "weather" })), TaskEvent::Unknown);
    }

    #[test]
    fn answer_that_says_no_kind_is_a_task() {
        let said = json!({ "id": "t", "contextId": null, "status": "working", "history": null, "more": 1 });
        let TaskEvent::Task(task) = read(said) else { panic!("no task") };
        assert_eq!(
            (&*task.id, &*task.context_id, task.status.state),
            ("t", "", TaskState::Working)
        );
        let said = json!({ "message": { "role": "ROLE_OVERLORD", "parts": null } });
        let TaskEvent::Message(message) = read(said) else { panic!("no message") };
        assert_eq!((message.role, message.parts.len()), (TaskRole::Unknown, 0));
    }
}
