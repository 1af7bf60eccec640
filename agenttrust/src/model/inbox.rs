//! What an agent without an endpoint of its own fetches from a Guardian.

use serde::{Deserialize, Serialize};

use super::a2a::MessageTask;
use super::a2a_message::TaskMessage;
use super::timestamp::Timestamp;
use super::tolerant::{lenient, or_default};

/// A task that an agent fetched, and has for itself until its lease ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InboxTask {
    /// The task as it stands.
    #[serde(default, deserialize_with = "or_default")]
    pub task: MessageTask,
    /// The message to act upon.
    #[serde(default, deserialize_with = "or_default")]
    pub message: TaskMessage,
    /// The agent that asks; empty where a person's key asks.
    #[serde(default, deserialize_with = "lenient")]
    pub source_agent_id: String,
    /// The lease's id.
    #[serde(default)]
    pub lease_id: String,
    /// The time when the lease ends, unless it is extended. After that, the task is there for the next agent that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
}

impl InboxTask {
    /// Returns what the task is completed, failed and extended by.
    #[must_use]
    pub fn lease(&self) -> TaskLease {
        TaskLease::new(&self.task.id, &self.lease_id)
    }
}

/// The right to complete a task that was fetched.
///
/// ```
/// use agenttrust::model::TaskLease;
///
/// let lease = TaskLease::new("task_1", "lse_1");
/// assert_eq!(lease.task_id, "task_1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskLease {
    /// The task.
    pub task_id: String,
    /// The lease's id.
    pub lease_id: String,
}

impl TaskLease {
    /// Names the lease of this id on this task.
    #[must_use]
    pub fn new(task_id: impl Into<String>, lease_id: impl Into<String>) -> Self {
        Self { task_id: task_id.into(), lease_id: lease_id.into() }
    }
}
