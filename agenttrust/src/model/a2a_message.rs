//! What agents say to each other: messages, artifacts, and the parts of both.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::tolerant::{lenient, or_default};
use super::word::wire_words;

wire_words! {
    /// The sender of a message.
    pub enum TaskRole as "role of a message" {
        /// The one that asks.
        User = "user",
        /// The agent that is asked.
        Agent = "agent",
    }
    default = Unknown;
}

/// A part of a message or of an artifact: one of `text`, `data`, `raw` and `url`. A part of a kind that this version
/// does not know has none of them.
///
/// ```
/// use agenttrust::model::TaskPart;
///
/// let part: TaskPart = serde_json::from_str(r#"{"kind": "text", "text": "hello"}"#)?;
/// assert_eq!(part, TaskPart::text("hello"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskPart {
    /// Text.
    pub text: Option<String>,
    /// JSON.
    pub data: Option<Value>,
    /// The bytes of a file, as base64.
    pub raw: Option<String>,
    /// The URL of a file.
    pub url: Option<String>,
    /// The name of the file.
    pub filename: Option<String>,
    /// The media type of the part, such as `image/png`.
    pub media_type: Option<String>,
    /// Further members that the sender attached.
    pub metadata: Option<Value>,
}

impl TaskPart {
    /// Makes a part of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// Makes a part of JSON.
    #[must_use]
    pub fn data(data: Value) -> Self {
        Self { data: Some(data), ..Self::default() }
    }

    /// Makes a part of a file that is at `url`.
    #[must_use]
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::default() }
    }

    /// Makes a part of a file that has these bytes, as base64.
    #[must_use]
    pub fn raw(base64: impl Into<String>) -> Self {
        Self { raw: Some(base64.into()), ..Self::default() }
    }

    /// Names the file.
    #[must_use]
    pub fn filename(mut self, name: impl Into<String>) -> Self {
        self.filename = Some(name.into());
        self
    }

    /// Says what the part is, such as `image/png`.
    #[must_use]
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// Returns the part as A2A 1.0 has it.
    pub(crate) fn in_v1(&self) -> Value {
        object([
            ("text", self.text.as_ref().map(|text| json!(text))),
            ("data", self.data.clone()),
            ("raw", self.raw.as_ref().map(|raw| json!(raw))),
            ("url", self.url.as_ref().map(|url| json!(url))),
            ("filename", self.filename.as_ref().map(|name| json!(name))),
            ("mediaType", self.media_type.as_ref().map(|media_type| json!(media_type))),
            ("metadata", self.metadata.clone()),
        ])
    }
}

/// The part is written as A2A 0.3 has it.
impl Serialize for TaskPart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_map(None)?;
        if let Some(text) = &self.text {
            part.serialize_entry("kind", "text")?;
            part.serialize_entry("text", text)?;
        } else if let Some(data) = &self.data {
            part.serialize_entry("kind", "data")?;
            part.serialize_entry("data", data)?;
        } else if self.raw.is_some() || self.url.is_some() {
            let file = object([
                ("uri", self.url.as_ref().map(|url| json!(url))),
                ("bytes", self.raw.as_ref().map(|raw| json!(raw))),
                ("name", self.filename.as_ref().map(|name| json!(name))),
                ("mimeType", self.media_type.as_ref().map(|media_type| json!(media_type))),
            ]);
            part.serialize_entry("kind", "file")?;
            part.serialize_entry("file", &file)?;
        }
        if let Some(metadata) = &self.metadata {
            part.serialize_entry("metadata", metadata)?;
        }
        part.end()
    }
}

/// The part is read as A2A 0.3 and 1.0 have it, and as plain text.
impl<'de> Deserialize<'de> for TaskPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = Value::deserialize(deserializer)?;
        if let Value::String(text) = said {
            return Ok(Self::text(text));
        }
        let file = said.get("file");
        let text_of = |object: Option<&Value>, name: &str| {
            object.and_then(|object| object.get(name)?.as_str()).map(str::to_owned)
        };
        let either = |name: &str, of_file: &str| {
            text_of(Some(&said), name).or_else(|| text_of(file, of_file))
        };
        Ok(Self {
            text: text_of(Some(&said), "text"),
            data: said.get("data").cloned(),
            raw: either("raw", "bytes"),
            url: either("url", "uri"),
            filename: either("filename", "name"),
            media_type: either("mediaType", "mimeType"),
            metadata: said.get("metadata").filter(|it| !it.is_null()).cloned(),
        })
    }
}

/// A message of a conversation between agents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskMessage {
    /// The message's id, chosen by its sender.
    #[serde(default, rename = "messageId", alias = "message_id", deserialize_with = "lenient")]
    pub message_id: String,
    /// The message's sender.
    #[serde(default, deserialize_with = "role")]
    pub role: TaskRole,
    /// The parts of the message.
    #[serde(default, deserialize_with = "or_default")]
    pub parts: Vec<TaskPart>,
    /// The task that it is about.
    #[serde(
        default,
        rename = "taskId",
        alias = "task_id",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    pub task_id: Option<String>,
    /// The conversation that it is part of.
    #[serde(
        default,
        rename = "contextId",
        alias = "context_id",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    pub context_id: Option<String>,
    /// Further members that the sender attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl TaskMessage {
    /// Returns its text, a line each part that has some.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.parts)
    }
}

/// A result of a task, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskArtifact {
    /// The artifact's id within its task.
    #[serde(default, rename = "artifactId", alias = "artifact_id", deserialize_with = "lenient")]
    pub artifact_id: String,
    /// The artifact's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub name: Option<String>,
    /// The artifact's description, for people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub description: Option<String>,
    /// The parts of the artifact.
    #[serde(default, deserialize_with = "or_default")]
    pub parts: Vec<TaskPart>,
    /// Further members that the agent attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl TaskArtifact {
    /// Makes an artifact of these parts, whose id is `artifact_id`.
    #[must_use]
    pub fn new(artifact_id: impl Into<String>, parts: impl IntoIterator<Item = TaskPart>) -> Self {
        Self {
            artifact_id: artifact_id.into(),
            parts: parts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Names it, for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns its text, a line each part that has some.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.parts)
    }

    /// Returns the artifact as A2A 1.0 has it.
    pub(crate) fn in_v1(&self) -> Value {
        object([
            ("artifactId", Some(json!(self.artifact_id))),
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("description", self.description.as_ref().map(|it| json!(it))),
            ("parts", Some(self.parts.iter().map(TaskPart::in_v1).collect())),
            ("metadata", self.metadata.clone()),
        ])
    }
}

fn text_of(parts: &[TaskPart]) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.text.as_deref()).collect();
    texts.join("\n")
}

/// Returns an object of those of these members that are there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}

/// Returns a word of A2A as 0.3 writes it: `ROLE_USER` and `TASK_STATE_INPUT_REQUIRED` are 1.0's `user` and
/// `input-required`.
pub(super) fn said_word(word: &str, prefix: &str) -> String {
    word.strip_prefix(prefix).unwrap_or(word).to_ascii_lowercase().replace('_', "-")
}

fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskRole, D::Error> {
    let said = Value::deserialize(deserializer)?;
    let word = said.as_str().unwrap_or_default();
    Ok(said_word(word, "ROLE_").parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_same_in_both_versions() {
        for (old, new) in [
            (json!({ "kind": "text", "text": "a" }), json!({ "text": "a" })),
            (json!({ "kind": "data", "data": { "a": 1 } }), json!({ "data": { "a": 1 } })),
            (
                json!({ "kind": "file", "file": { "uri": "https://a.example/b", "name": "b", "mimeType": "text/plain" } }),
                json!({ "url": "https://a.example/b", "filename": "b", "mediaType": "text/plain" }),
            ),
            (
                json!({ "kind": "file", "file": { "bytes": "AA==" }, "metadata": { "m": 1 } }),
                json!({ "raw": "AA==", "metadata": { "m": 1 } }),
            ),
        ] {
            let [from_old, from_new]: [TaskPart; 2] =
                [&old, &new].map(|said| serde_json::from_value(said.clone()).unwrap());
            assert_eq!(from_old, from_new);
            assert_eq!(json!(from_new), old);
            assert_eq!(from_old.in_v1(), new);
        }
    }

    #[test]
    fn part_of_unknown_kind_is_read_and_is_nothing_of_what_is_known() {
        for said in [json!({ "kind": "hologram", "beam": 1 }), json!(5), json!({ "text": 5 })] {
            let part: TaskPart = serde_json::from_value(said).unwrap();
            assert_eq!(part, TaskPart::default());
        }
    }
}
