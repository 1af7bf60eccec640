//! A2A 0.3 as JSON: told in the words of 1.0 where it is read, and written from them.
//!
//! A part says in `kind` what it is, so does everything that is answered; roles and states are words in lower case.

use serde_json::{Map, Value, json};

use super::parse_error::ParseError;
use super::{
    Artifact, Message, MessageRole, Part, PartContent, Task, TaskEvent, TaskState, TaskStatus,
};

/// The member of a part's metadata that says that its data is no object: 0.3 knows nothing else.
const BARE_DATA: &str = "data_part_compat";

/// Tells a message in the words of 1.0.
pub(super) fn upgrade_message(value: &mut Value, at: &str) -> Result<(), ParseError> {
    let members = object(value, at)?;
    need_kind(members, "message", at)?;
    let role = match members.get("role").and_then(Value::as_str) {
        Some("user") => "ROLE_USER",
        Some("agent") => "ROLE_AGENT",
        _ => return Err(ParseError::of(&format!("{at}.role"), "is neither user nor agent")),
    };
    members.insert("role".to_owned(), role.into());
    upgrade_parts(members, at)
}

/// Tells a task in the words of 1.0.
pub(super) fn upgrade_task(value: &mut Value, at: &str) -> Result<(), ParseError> {
    let members = object(value, at)?;
    need_kind(members, "task", at)?;
    if let Some(status) = members.get_mut("status") {
        upgrade_status(status, &format!("{at}.status"))?;
    }
    each(members, "artifacts", at, upgrade_artifact)?;
    each(members, "history", at, upgrade_message)
}

/// Tells how a task stands in the words of 1.0.
pub(super) fn upgrade_status(value: &mut Value, at: &str) -> Result<(), ParseError> {
    let members = object(value, at)?;
    let word = members.get("state").and_then(Value::as_str);
    // That its agent does not know is no reason to forget a task.
    let state = match word {
        Some("unknown") => Some(TaskState::Submitted),
        word => word.and_then(TaskState::of),
    };
    let state =
        state.ok_or_else(|| ParseError::of(&format!("{at}.state"), "is no state of A2A 0.3"))?;
    members.insert("state".to_owned(), json!(state));
    match members.get_mut("message") {
        None | Some(Value::Null) => Ok(()),
        Some(message) => upgrade_message(message, &format!("{at}.message")),
    }
}

/// Tells a result in the words of 1.0.
pub(super) fn upgrade_artifact(value: &mut Value, at: &str) -> Result<(), ParseError> {
    upgrade_parts(object(value, at)?, at)
}

fn upgrade_parts(members: &mut Map<String, Value>, at: &str) -> Result<(), ParseError> {
    each(members, "parts", at, |part, at| {
        *part = upgraded_part(object(part, at)?, at)?;
        Ok(())
    })
}

/// Calls `with` for each entry of a list, where there is one.
fn each(
    members: &mut Map<String, Value>,
    member: &str,
    at: &str,
    mut with: impl FnMut(&mut Value, &str) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let Some(Value::Array(list)) = members.get_mut(member) else { return Ok(()) };
    for (place, item) in list.iter_mut().enumerate() {
        with(item, &format!("{at}.{member}[{place}]"))?;
    }
    Ok(())
}

fn upgraded_part(members: &mut Map<String, Value>, at: &str) -> Result<Value, ParseError> {
    let mut part = Map::new();
    let mut metadata = members.remove("metadata").filter(|metadata| !metadata.is_null());
    match members.get("kind").and_then(Value::as_str) {
        Some("text") => {
            part.insert("text".to_owned(), members.remove("text").unwrap_or_default());
        }
        Some("file") => {
            let mut file = members.remove("file").unwrap_or_default();
            upgrade_file(object(&mut file, &format!("{at}.file"))?, &mut part, at)?;
        }
        Some("data") => {
            let is_bare = metadata
                .as_mut()
                .and_then(Value::as_object_mut)
                .and_then(|metadata| metadata.remove(BARE_DATA));
            let mut data = members.remove("data").unwrap_or_default();
            let members = object(&mut data, &format!("{at}.data"))?;
            let bare = match is_bare {
                Some(Value::Bool(true)) => members.remove("value"),
                _ => None,
            };
            part.insert("data".to_owned(), bare.unwrap_or(data));
        }
        Some(other) => {
            let kind: String = other.chars().take(40).collect();
            let problem = format!(
                "is of kind {kind:?}, which A2A 0.3 does not have; send text, file or data"
            );
            return Err(ParseError::of(at, problem));
        }
        None => return Err(ParseError::of(at, "has no kind; it is text, file or data")),
    }
    if let Some(metadata) = metadata {
        part.insert("metadata".to_owned(), metadata);
    }
    Ok(Value::Object(part))
}

fn upgrade_file(
    file: &mut Map<String, Value>,
    part: &mut Map<String, Value>,
    at: &str,
) -> Result<(), ParseError> {
    // The last two names stand in the examples of the specification.
    let kinds =
        [("bytes", "raw"), ("uri", "url"), ("fileWithBytes", "raw"), ("fileWithUri", "url")];
    for (member, told) in kinds {
        if let Some(content) = file.remove(member).filter(|content| !content.is_null())
            && part.insert(told.to_owned(), content).is_some()
        {
            return Err(ParseError::of(&format!("{at}.file"), "has its bytes twice"));
        }
    }
    for (member, told) in [("name", "filename"), ("mimeType", "mediaType")] {
        if let Some(text) = file.remove(member) {
            part.insert(told.to_owned(), text);
        }
    }
    Ok(())
}

/// Returns the object that a value must be.
pub(super) fn object<'v>(
    value: &'v mut Value,
    at: &str,
) -> Result<&'v mut Map<String, Value>, ParseError> {
    value.as_object_mut().ok_or_else(|| ParseError::of(at, "is no object"))
}

/// Checks that something is what it says it is, where it says so: not every sender does.
fn need_kind(members: &mut Map<String, Value>, kind: &str, at: &str) -> Result<(), ParseError> {
    match members.remove("kind") {
        None | Some(Value::Null) => Ok(()),
        Some(said) if said == kind => Ok(()),
        Some(_) => Err(ParseError::of(&format!("{at}.kind"), format!("is not {kind:?}"))),
    }
}

/// Returns a message in the words of 0.3.
pub(crate) fn message(message: &Message) -> Value {
    let role = match message.role {
        MessageRole::User => "user",
        MessageRole::Agent => "agent",
    };
    let mut told = Map::new();
    put(&mut told, "kind", "message");
    put(&mut told, "messageId", message.message_id.as_str());
    put(&mut told, "role", role);
    put(&mut told, "parts", message.parts.iter().map(part).collect::<Vec<_>>());
    if let Some(id) = &message.context_id {
        put(&mut told, "contextId", id.as_str());
    }
    if let Some(id) = &message.task_id {
        put(&mut told, "taskId", id.as_str());
    }
    if !message.reference_task_ids.is_empty() {
        put(&mut told, "referenceTaskIds", message.reference_task_ids.clone());
    }
    finish(told, &message.metadata, &message.extensions)
}

/// Returns a task in the words of 0.3.
pub(crate) fn task(task: &Task) -> Value {
    let mut told = Map::new();
    put(&mut told, "kind", "task");
    put(&mut told, "id", task.id.as_str());
    put(&mut told, "contextId", task.context_id.as_str());
    put(&mut told, "status", status(&task.status));
    if !task.artifacts.is_empty() {
        put(&mut told, "artifacts", task.artifacts.iter().map(artifact).collect::<Vec<_>>());
    }
    if !task.history.is_empty() {
        put(&mut told, "history", task.history.iter().map(message).collect::<Vec<_>>());
    }
    finish(told, &task.metadata, &[])
}

/// Returns what a stream says of a task, in the words of 0.3.
pub(crate) fn event(task_id: &str, context_id: &str, event: &TaskEvent) -> Value {
    let mut told = Map::new();
    put(&mut told, "taskId", task_id);
    put(&mut told, "contextId", context_id);
    let metadata = match event {
        TaskEvent::Task(whole) => return task(whole),
        TaskEvent::Status { status: stands, metadata } => {
            put(&mut told, "kind", "status-update");
            put(&mut told, "status", status(stands));
            put(&mut told, "final", stands.state.is_terminal());
            metadata
        }
        TaskEvent::Artifact { artifact: piece, append, last_chunk, metadata } => {
            put(&mut told, "kind", "artifact-update");
            put(&mut told, "artifact", artifact(piece));
            put(&mut told, "append", *append);
            put(&mut told, "lastChunk", *last_chunk);
            metadata
        }
    };
    finish(told, metadata, &[])
}

fn status(status: &TaskStatus) -> Value {
    let mut told = Map::new();
    put(&mut told, "state", status.state.as_str());
    if let Some(said) = &status.message {
        put(&mut told, "message", message(said));
    }
    if let Some(at) = &status.timestamp {
        put(&mut told, "timestamp", at.to_string());
    }
    Value::Object(told)
}

fn artifact(artifact: &Artifact) -> Value {
    let mut told = Map::new();
    put(&mut told, "artifactId", artifact.artifact_id.as_str());
    for (member, text) in [("name", &artifact.name), ("description", &artifact.description)] {
        if let Some(text) = text {
            put(&mut told, member, text.as_str());
        }
    }
    put(&mut told, "parts", artifact.parts.iter().map(part).collect::<Vec<_>>());
    finish(told, &artifact.metadata, &artifact.extensions)
}

fn part(part: &Part) -> Value {
    let (mut told, mut metadata) = (Map::new(), part.metadata.clone());
    match &part.content {
        PartContent::Text(text) => {
            put(&mut told, "kind", "text");
            put(&mut told, "text", text.as_str());
        }
        PartContent::Raw(bytes) => {
            put(&mut told, "kind", "file");
            put(&mut told, "file", file("bytes", bytes, part));
        }
        PartContent::Url(url) => {
            put(&mut told, "kind", "file");
            put(&mut told, "file", file("uri", url, part));
        }
        PartContent::Data(data) => {
            put(&mut told, "kind", "data");
            let is_bare = !data.is_object();
            if is_bare {
                metadata.insert(BARE_DATA.to_owned(), true.into());
            }
            let data = if is_bare { json!({ "value": data }) } else { data.clone() };
            put(&mut told, "data", data);
        }
    }
    finish(told, &metadata, &[])
}

fn file(member: &str, content: &str, part: &Part) -> Value {
    let mut file = Map::new();
    put(&mut file, member, content);
    for (member, text) in [("name", &part.filename), ("mimeType", &part.media_type)] {
        if let Some(text) = text {
            put(&mut file, member, text.as_str());
        }
    }
    Value::Object(file)
}

fn put(members: &mut Map<String, Value>, member: &str, value: impl Into<Value>) {
    members.insert(member.to_owned(), value.into());
}

/// Returns what everything may say beside.
fn finish(
    mut told: Map<String, Value>,
    metadata: &Map<String, Value>,
    extensions: &[String],
) -> Value {
    if !metadata.is_empty() {
        put(&mut told, "metadata", metadata.clone());
    }
    if !extensions.is_empty() {
        put(&mut told, "extensions", extensions.to_vec());
    }
    Value::Object(told)
}
