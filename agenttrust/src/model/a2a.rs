//! Tasks that one agent asks of another (SDK guide, section 11).
//!
//! Three dialects of A2A meet here. What is read is read in each of them; what is written is what the published
//! clients write, A2A 0.3.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::a2a_message::{TaskArtifact, TaskMessage, said_word};
use super::agent_card::ATI_TRUST_EXTENSION_URI;
use super::timestamp::Timestamp;
use super::tolerant::{lenient, or_default};
use super::word::wire_words;

wire_words! {
    /// The state of a task, in A2A's words.
    pub enum TaskState as "state of a task" {
        /// A task that is known, and whose agent has done nothing about it yet.
        Submitted = "submitted",
        /// A task on which its agent works.
        Working = "working",
        /// A task whose agent waits for another message.
        InputRequired = "input-required",
        /// A task that waits for an approval, and goes on by itself once there is one. This state permits nothing.
        AuthRequired = "auth-required",
        /// A task that is done.
        Completed = "completed",
        /// A task that was cancelled.
        Canceled = "canceled",
        /// A task in which something went wrong.
        Failed = "failed",
        /// A task that was denied, or that its agent would not do.
        Rejected = "rejected",
    }
    default = Unknown;
}

impl TaskState {
    /// Returns whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Failed | Self::Rejected)
    }
}

wire_words! {
    /// The state of a task, in the words of the SDK guide's clients.
    pub enum A2ATaskStatus as "status of a task" {
        /// A task that was not begun, or that waits: for an approval or for another message.
        Pending = "pending",
        /// A task on which its agent works.
        Running = "running",
        /// A task that is done.
        Completed = "completed",
        /// A task that failed, or was denied.
        Failed = "failed",
        /// A task that was cancelled.
        Cancelled = "cancelled",
    }
    default = Unknown;
}

impl From<TaskState> for A2ATaskStatus {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Submitted | TaskState::InputRequired | TaskState::AuthRequired => {
                Self::Pending
            }
            TaskState::Working => Self::Running,
            TaskState::Completed => Self::Completed,
            TaskState::Failed | TaskState::Rejected => Self::Failed,
            TaskState::Canceled => Self::Cancelled,
            TaskState::Unknown => Self::Unknown,
        }
    }
}

/// A task as [`get_task`](crate::client::A2a::get_task) and its neighbours return it.
///
/// ```
/// use agenttrust::A2ATask;
///
/// let said = r#"{"id": "task_1", "status": "pending", "message": "Summarize the report"}"#;
/// let task: A2ATask = serde_json::from_str(said)?;
/// assert_eq!(task.status, "pending");
/// assert!(!task.in_doubt());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct A2ATask {
    /// The task's id, which is opaque.
    #[serde(default)]
    pub id: String,
    /// The agent that asks; empty where a person's key asks.
    #[serde(default, alias = "sourceAgentId", deserialize_with = "lenient")]
    pub source_agent_id: String,
    /// The agent that is asked.
    #[serde(default, alias = "targetAgentId", deserialize_with = "lenient")]
    pub target_agent_id: String,
    /// The task's state.
    #[serde(default, deserialize_with = "status")]
    pub status: A2ATaskStatus,
    /// The task's state in A2A's own words, which are finer. A gateway that is not ours may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_state")]
    pub state: Option<TaskState>,
    /// The message about the state, from the agent or the Guardian: text, or a message of A2A. A gateway that is not
    /// ours may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<Value>,
    /// The conversation that it is part of. A gateway that is not ours may not say.
    #[serde(
        default,
        alias = "contextId",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    pub context_id: Option<String>,
    /// The message that the task was asked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    /// The task's results: a list of artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Value>,
    /// Further members that the agent or the caller attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The time when the task was made.
    #[serde(
        default,
        alias = "createdAt",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    pub created_at: Option<Timestamp>,
    /// The time when the task last changed.
    #[serde(
        default,
        alias = "updatedAt",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    pub updated_at: Option<Timestamp>,
}

impl A2ATask {
    /// Returns the text of the task's artifacts, a line each; empty where there is no text.
    #[must_use]
    pub fn text(&self) -> String {
        let artifacts = self.artifacts.as_ref().map(Vec::<TaskArtifact>::deserialize);
        let artifacts = artifacts.and_then(Result::ok).unwrap_or_default();
        text_of(&artifacts)
    }

    /// Returns the id of the approval that it waits for, where our Guardian says so.
    #[must_use]
    pub fn approval_id(&self) -> Option<&str> {
        said_beside(self.metadata.as_ref(), "approval_id")?.as_str()
    }

    /// Returns whether it is not known if the target received it, as our Guardian says of a task that it was handing on
    /// when it was killed or the connection broke. Sending its message once more under the same message id asks again.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        in_doubt(self.metadata.as_ref())
    }
}

/// A request to another agent, as the guide's clients have it.
///
/// ```
/// use agenttrust::SendTaskRequest;
/// use serde_json::json;
///
/// let request = SendTaskRequest {
///     source_agent_id: "agent-a".to_string(),
///     target_agent_id: "agent-b".to_string(),
///     message: json!("Summarize the latest security report"),
/// };
/// assert_eq!(request.message, "Summarize the latest security report");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendTaskRequest {
    /// The agent that asks.
    pub source_agent_id: String,
    /// The agent that is asked.
    pub target_agent_id: String,
    /// The message to that agent: text, or a message of A2A.
    pub message: Value,
}

/// A task as [`send_message`](crate::client::A2a::send_message) returns it: A2A's own.
///
/// ```
/// use agenttrust::MessageTask;
/// use agenttrust::model::TaskState;
///
/// let said = r#"{"id": "task_1", "status": {"state": "TASK_STATE_COMPLETED"},
///     "artifacts": [{"parts": [{"text": "It is fine."}]}]}"#;
/// let task: MessageTask = serde_json::from_str(said)?;
/// assert_eq!(task.status.state, TaskState::Completed);
/// assert_eq!(task.text(), "It is fine.");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageTask {
    /// The task's id, which is opaque; empty where the agent answered without making a task.
    #[serde(default)]
    pub id: String,
    /// The conversation that it is part of.
    #[serde(default, rename = "contextId", alias = "context_id", deserialize_with = "lenient")]
    pub context_id: String,
    /// The task's state.
    #[serde(default, deserialize_with = "or_default")]
    pub status: MessageTaskStatus,
    /// The messages so far, from a gateway that sends them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub history: Vec<TaskMessage>,
    /// The task's results.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub artifacts: Vec<TaskArtifact>,
    /// Further members that the agent or the caller attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl MessageTask {
    /// Returns the text of its artifacts, else that of what its agent said last, a line each; empty where there is no
    /// text.
    #[must_use]
    pub fn text(&self) -> String {
        let text = text_of(&self.artifacts);
        match &self.status.message {
            Some(message) if text.is_empty() => message.text(),
            _ => text,
        }
    }

    /// Returns the id of the approval that it waits for, where our Guardian says so.
    #[must_use]
    pub fn approval_id(&self) -> Option<&str> {
        said_beside(self.metadata.as_ref(), "approval_id")?.as_str()
    }

    /// Returns whether it is not known if the target received it, as our Guardian says of a task that it was handing on
    /// when it was killed or the connection broke. Sending its message once more under the same message id asks again.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        in_doubt(self.metadata.as_ref())
    }

    /// Makes a task of an answer that is a message and no task: what was asked is done with it.
    pub(crate) fn answered(message: TaskMessage) -> Self {
        Self {
            id: message.task_id.clone().unwrap_or_default(),
            context_id: message.context_id.clone().unwrap_or_default(),
            status: MessageTaskStatus {
                state: TaskState::Completed,
                message: Some(message),
                timestamp: None,
            },
            ..Self::default()
        }
    }
}

/// The state of a [`MessageTask`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageTaskStatus {
    /// The state.
    pub state: TaskState,
    /// The message about the state, from the agent or the Guardian.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<TaskMessage>,
    /// The time since when the task is in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for MessageTaskStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        struct Beside {
            #[serde(default, deserialize_with = "or_default")]
            message: Option<TaskMessage>,
            #[serde(default, deserialize_with = "lenient")]
            timestamp: Option<Timestamp>,
        }
        let said = Value::deserialize(deserializer)?;
        let state = state_in(&said);
        let Beside { message, timestamp } = match said {
            Value::Object(_) => serde_json::from_value(said).map_err(serde::de::Error::custom)?,
            // The state alone, as the guide's clients say it.
            _ => Beside::default(),
        };
        Ok(Self { state, message, timestamp })
    }
}

fn text_of(artifacts: &[TaskArtifact]) -> String {
    let texts: Vec<String> = artifacts.iter().map(TaskArtifact::text).collect();
    texts.join("\n")
}

/// Returns what our Guardian says of a task beside the task.
fn said_beside<'t>(metadata: Option<&'t Value>, member: &str) -> Option<&'t Value> {
    metadata?.get(ATI_TRUST_EXTENSION_URI)?.get(member)
}

fn in_doubt(metadata: Option<&Value>) -> bool {
    said_beside(metadata, "in_doubt") == Some(&Value::Bool(true))
}

/// Returns the state that is said: by a word of any version, or by an object that holds one.
fn state_in(said: &Value) -> TaskState {
    let word = said.as_str().or_else(|| said.get("state")?.as_str());
    word.map(|word| match said_word(word, "TASK_STATE_").as_str() {
        "cancelled" => TaskState::Canceled,
        word => word.parse().unwrap_or_default(),
    })
    .unwrap_or_default()
}

fn some_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TaskState>, D::Error> {
    let said = Option::<Value>::deserialize(deserializer)?;
    Ok(said.map(|said| state_in(&said)))
}

/// Returns the status that is said, by a word of the guide's clients or of A2A's.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<A2ATaskStatus, D::Error> {
    let said = Value::deserialize(deserializer)?;
    let known = said.as_str().and_then(|word| word.to_ascii_lowercase().parse().ok());
    Ok(known.unwrap_or_else(|| state_in(&said).into()))
}
