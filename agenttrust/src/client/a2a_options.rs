//! What more may be said of messages and tasks that agents exchange, and which tasks to list.

use serde_json::Value;

use crate::model::{TaskPart, TaskState};

/// More to send a message with.
///
/// ```
/// use agenttrust::client::SendMessageOptions;
/// use agenttrust::model::TaskPart;
/// use serde_json::json;
///
/// let options = SendMessageOptions::default()
///     .message_id("order-4711")
///     .part(TaskPart::data(json!({ "year": 2026 })));
/// assert_eq!(options.message_id.as_deref(), Some("order-4711"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendMessageOptions {
    /// The id of the message. The same message sent again under it is answered with the same task, so choose one where
    /// it may have to be sent again; one is made up where nothing is said.
    pub message_id: Option<String>,
    /// The task that the message is about; a new one where nothing is said.
    pub task_id: Option<String>,
    /// The conversation that a new task is part of; a new one where nothing is said.
    pub context_id: Option<String>,
    /// The parts of the message beside its text.
    pub parts: Vec<TaskPart>,
    /// Further members to attach to the message.
    pub metadata: Option<Value>,
    /// The agent that asks, for a key that speaks for more than one.
    pub as_agent: Option<String>,
}

impl SendMessageOptions {
    /// Names the message, so that it may be sent again without asking twice.
    #[must_use]
    pub fn message_id(mut self, message_id: impl Into<String>) -> Self {
        self.message_id = Some(message_id.into());
        self
    }

    /// Says more about this task instead of asking for a new one.
    #[must_use]
    pub fn task_id(mut self, task_id: impl Into<String>) -> Self {
        self.task_id = Some(task_id.into());
        self
    }

    /// Asks within this conversation.
    #[must_use]
    pub fn context_id(mut self, context_id: impl Into<String>) -> Self {
        self.context_id = Some(context_id.into());
        self
    }

    /// Adds a part after the text.
    #[must_use]
    pub fn part(mut self, part: TaskPart) -> Self {
        self.parts.push(part);
        self
    }

    /// Says this beside the message.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// Asks as this agent, for a key that speaks for more than one.
    #[must_use]
    pub fn as_agent(mut self, agent_id: impl Into<String>) -> Self {
        self.as_agent = Some(agent_id.into());
        self
    }
}

/// More to send a task with.
///
/// ```
/// use agenttrust::client::SendTaskOptions;
/// use serde_json::json;
///
/// let options = SendTaskOptions::default().metadata(json!({ "ticket": 4711 }));
/// assert!(options.metadata.is_some());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendTaskOptions {
    /// Further members to attach to the task.
    pub metadata: Option<Value>,
}

impl SendTaskOptions {
    /// Says this beside the task.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// A filter for a list of tasks.
///
/// ```
/// use agenttrust::client::TaskFilter;
/// use agenttrust::model::TaskState;
///
/// let filter = TaskFilter::default().target_agent_id("agent-b").state(TaskState::Working);
/// assert_eq!(filter.target_agent_id.as_deref(), Some("agent-b"));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TaskFilter {
    /// The agent that the tasks are asked of.
    pub target_agent_id: Option<String>,
    /// The conversation that the tasks belong to.
    pub context_id: Option<String>,
    /// The state of the tasks.
    pub state: Option<TaskState>,
    /// The position of a page: the [`next`](super::Page::next) of the page before.
    pub before: Option<String>,
    /// The largest number of tasks on a page; 50 by default.
    pub limit: Option<u32>,
}

impl TaskFilter {
    /// Lists only those that are asked of this agent.
    #[must_use]
    pub fn target_agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.target_agent_id = Some(agent_id.into());
        self
    }

    /// Lists only those of this conversation.
    #[must_use]
    pub fn context_id(mut self, context_id: impl Into<String>) -> Self {
        self.context_id = Some(context_id.into());
        self
    }

    /// Lists only those that stand so.
    #[must_use]
    pub fn state(mut self, state: TaskState) -> Self {
        self.state = Some(state);
        self
    }

    /// Lists only those behind a page, which said this as [`next`](super::Page::next).
    #[must_use]
    pub fn before(mut self, before: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self
    }

    /// Asks for at most so many.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}
