//! A2A 1.0 as JSON: messages, their parts, and tasks.
//!
//! Members that A2A does not have are left out as they are read. A part is one of four kinds, and has only one.

use std::fmt;

use agenttrust::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The state of a task, in A2A's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskState {
    #[serde(rename = "TASK_STATE_SUBMITTED")]
    Submitted,
    #[serde(rename = "TASK_STATE_WORKING")]
    Working,
    #[serde(rename = "TASK_STATE_COMPLETED")]
    Completed,
    #[serde(rename = "TASK_STATE_FAILED")]
    Failed,
    #[serde(rename = "TASK_STATE_CANCELED")]
    Canceled,
    #[serde(rename = "TASK_STATE_REJECTED")]
    Rejected,
    #[serde(rename = "TASK_STATE_INPUT_REQUIRED")]
    InputRequired,
    #[serde(rename = "TASK_STATE_AUTH_REQUIRED")]
    AuthRequired,
}

impl TaskState {
    /// Every state.
    pub(crate) const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Working,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Rejected,
        Self::InputRequired,
        Self::AuthRequired,
    ];

    /// Returns the word for it, as A2A 0.3 has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
            Self::InputRequired => "input-required",
            Self::AuthRequired => "auth-required",
        }
    }

    /// Returns the state of this word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns whether nothing follows.
    pub(crate) const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Rejected)
    }

    /// Returns whether it goes on only once its caller, or someone else, does something.
    pub(crate) const fn is_interrupted(self) -> bool {
        matches!(self, Self::InputRequired | Self::AuthRequired)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The sender of a message: the sender of the task, or the agent that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MessageRole {
    #[serde(rename = "ROLE_USER")]
    User,
    #[serde(rename = "ROLE_AGENT")]
    Agent,
}

/// A message of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) message_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub(crate) context_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub(crate) task_id: Option<String>,
    pub(crate) role: MessageRole,
    pub(crate) parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "or_empty")]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) extensions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) reference_task_ids: Vec<String>,
}

impl Message {
    /// Creates a message of an agent that says `text`.
    pub(crate) fn of_agent(message_id: String, text: impl Into<String>) -> Self {
        Self {
            message_id,
            context_id: None,
            task_id: None,
            role: MessageRole::Agent,
            parts: vec![Part::text(text)],
            metadata: Map::new(),
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        }
    }
}

/// The content of a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartContent {
    Text(String),
    /// Bytes, as base64.
    Raw(String),
    Url(String),
    Data(Value),
}

/// A part of a message or of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RawPart")]
pub(crate) struct Part {
    #[serde(flatten)]
    pub(crate) content: PartContent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) metadata: Map<String, Value>,
}

impl Part {
    /// Creates a part of text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::of(PartContent::Text(text.into()))
    }

    /// Creates a part that holds this, and nothing beside it.
    pub(crate) fn of(content: PartContent) -> Self {
        Self { content, filename: None, media_type: None, metadata: Map::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPart {
    text: Option<String>,
    raw: Option<String>,
    url: Option<String>,
    // Null is a value like any other.
    #[serde(default, deserialize_with = "present")]
    data: Option<Value>,
    #[serde(default, deserialize_with = "said")]
    filename: Option<String>,
    #[serde(default, deserialize_with = "said")]
    media_type: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    metadata: Map<String, Value>,
}

impl TryFrom<RawPart> for Part {
    type Error = &'static str;

    fn try_from(raw: RawPart) -> Result<Self, Self::Error> {
        let kinds = [
            raw.text.map(PartContent::Text),
            raw.raw.map(PartContent::Raw),
            raw.url.map(PartContent::Url),
            raw.data.map(PartContent::Data),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let content =
            kinds.next().ok_or("a part is of no known kind; it has text, raw, url or data")?;
        if kinds.next().is_some() {
            return Err("a part is of two kinds; it has one of text, raw, url and data");
        }
        let RawPart { filename, media_type, metadata, .. } = raw;
        Ok(Self { content, filename, media_type, metadata })
    }
}

/// A result of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    pub(crate) artifact_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub(crate) description: Option<String>,
    pub(crate) parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "or_empty")]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) extensions: Vec<String>,
}

/// The state of a task, since when it has it, and what its agent says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskStatus {
    pub(crate) state: TaskState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Message>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<Timestamp>,
}

/// A task as its caller sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) context_id: String,
    pub(crate) status: TaskStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) artifacts: Vec<Artifact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_empty")]
    pub(crate) history: Vec<Message>,
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "or_empty")]
    pub(crate) metadata: Map<String, Value>,
}

/// An event of a task that goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskEvent {
    /// All of it, as it stands.
    Task(Box<Task>),
    /// A change of the state.
    Status { status: TaskStatus, metadata: Map<String, Value> },
    /// A result, or a piece of one.
    Artifact { artifact: Artifact, append: bool, last_chunk: bool, metadata: Map<String, Value> },
}

/// A change in a task that its target reported.
#[derive(Debug, PartialEq)]
pub(crate) enum TaskChange {
    Nothing,
    /// The event, and nothing else.
    Piece(Box<TaskEvent>),
    /// The task as a whole: more than one event says.
    Whole,
}

/// Reads a member that may be left out, null or, as proto3 has it, empty.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Reads a member that is there, whatever it is.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads a member that may be null for empty.
fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
