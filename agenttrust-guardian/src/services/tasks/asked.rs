//! A message as it was asked: whether it can be one, what tells it from others, and what of it an approval is bound to.

use agenttrust::internal::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Asked;
use crate::domain::names::{check_name, check_names};
use crate::domain::task::{Message, MessageRole, ParseError, Part, PartContent, TaskError, trust};
use crate::store::TaskBody;

/// The longest message, as JSON, in bytes.
const MESSAGE_MAX_BYTES: usize = 1 << 20;
/// The largest number of parts of a message.
const PARTS_MOST: usize = 256;
/// The depth to which its values may nest.
const MAX_DEPTH: usize = 64;

/// A message that can be sent.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) body: TaskBody,
    /// SHA-256 of what is sent to whom, in hexadecimal digits.
    pub(super) digest: String,
}

/// Sees that a message can be one.
///
/// # Errors
///
/// Invalid, with the member at fault.
pub(super) fn checked(asked: Asked) -> Result<Checked, TaskError> {
    let invalid = |error: crate::domain::Error| TaskError::Invalid(error.message().to_owned());
    let message = &asked.message;
    check_name("messageId", &message.message_id).map_err(invalid)?;
    for (field, id) in [("contextId", &message.context_id), ("taskId", &message.task_id)] {
        id.as_deref().map_or(Ok(()), |id| check_name(field, id)).map_err(invalid)?;
    }
    for (field, names) in [
        ("extensions", &message.extensions),
        ("referenceTaskIds", &message.reference_task_ids),
        ("acceptedOutputModes", &asked.accepted_output_modes),
    ] {
        check_names(field, names).map_err(invalid)?;
    }
    ensure_of_user(message.role)?;
    check_parts(&message.parts)?;
    let invalid = |error: ParseError| TaskError::Invalid(error.to_string());
    trust::refuse_message(message, "message").map_err(invalid)?;
    trust::refuse(&asked.metadata, "metadata").map_err(invalid)?;
    let Asked {
        target_agent_id,
        message,
        metadata,
        spelled,
        accepted_output_modes,
        streams,
        trace,
        ..
    } = asked;
    let body = TaskBody { message, metadata, accepted_output_modes, streams, trace };
    let whole = json!({
        "target": target_agent_id,
        "message": body.message,
        "metadata": body.metadata,
        "acceptedOutputModes": body.accepted_output_modes,
    });
    if !is_within(&whole, MAX_DEPTH) {
        return Err(TaskError::Invalid(format!(
            "the message nests deeper than {MAX_DEPTH} levels; send it flatter"
        )));
    }
    let text = serde_json_canonicalizer::to_vec(&whole)
        .map_err(|error| TaskError::Invalid(format!("the message cannot be kept: {error}")))?;
    if text.len() > MESSAGE_MAX_BYTES {
        return Err(TaskError::Invalid(format!(
            "the message is {} bytes long; {MESSAGE_MAX_BYTES} is the most, so send a URL of what is longer",
            text.len()
        )));
    }
    if text.contains(&0) || holds_nul(&whole) {
        return Err(TaskError::Invalid(
            "the message holds a NUL character, which cannot be kept; remove it".to_owned(),
        ));
    }
    // RFC 8785 writes numbers as doubles, of which several texts are one.
    let mut digest = Sha256::new_with_prefix(&text);
    spelled.add_to(&mut digest);
    Ok(Checked { body, digest: hex::encode(&digest.finalize()) })
}

fn ensure_of_user(role: MessageRole) -> Result<(), TaskError> {
    if role == MessageRole::User {
        return Ok(());
    }
    Err(TaskError::Invalid(
        "role is the agent's own; a message to an agent has the role of its user: send ROLE_USER (in A2A 0.3: user)"
            .to_owned(),
    ))
}

fn check_parts(parts: &[Part]) -> Result<(), TaskError> {
    if parts.is_empty() {
        return Err(TaskError::Invalid("parts is empty; send at least one part".to_owned()));
    }
    if parts.len() > PARTS_MOST {
        let count = parts.len();
        return Err(TaskError::Invalid(format!("parts has {count}; {PARTS_MOST} is the most")));
    }
    for (place, part) in parts.iter().enumerate() {
        if let PartContent::Raw(text) = &part.content
            && STANDARD.decode(text).is_err()
        {
            return Err(TaskError::Invalid(format!(
                "parts[{place}].raw is no base64; send the bytes in base64 with padding"
            )));
        }
    }
    Ok(())
}

/// Returns whether a value nests no deeper than this.
fn is_within(value: &Value, depth: usize) -> bool {
    let Some(left) = depth.checked_sub(1) else { return false };
    match value {
        Value::Array(items) => items.iter().all(|item| is_within(item, left)),
        Value::Object(members) => members.values().all(|member| is_within(member, left)),
        _ => true,
    }
}

/// Returns whether a text in it holds what no database keeps as text.
pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, member)| name.contains('\0') || holds_nul(member))
        }
        _ => false,
    }
}

/// Returns what an approval of a message is bound to: all that the target is given and its sender chose, but the id of
/// the message, which is another one for each.
pub(super) fn bound(body: &TaskBody) -> Value {
    let mut bound = match json!(body.message) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    bound.remove("messageId");
    bound.remove("role");
    if !body.metadata.is_empty() {
        bound.insert("requestMetadata".to_owned(), Value::Object(body.metadata.clone()));
    }
    if !body.accepted_output_modes.is_empty() {
        bound.insert("acceptedOutputModes".to_owned(), json!(body.accepted_output_modes));
    }
    Value::Object(bound)
}

/// Returns the message as its task shows it, with the ids of the task.
pub(super) fn shown(message: &Message, task_id: &str, context_id: &str) -> Message {
    Message {
        task_id: Some(task_id.to_owned()),
        context_id: Some(context_id.to_owned()),
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::task::Spelled;

    fn asked(parts: Vec<Part>) -> Asked {
        let message = Message {
            message_id: "m-1".to_owned(),
            context_id: None,
            task_id: None,
            role: MessageRole::User,
            parts,
            metadata: Map::new(),
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        };
        Asked {
            target_agent_id: "agt_1".to_owned(),
            message,
            metadata: Map::new(),
            spelled: Spelled::default(),
            accepted_output_modes: Vec::new(),
            streams: false,
            trace: None,
            wait: Duration::ZERO,
        }
    }

    #[test]
    fn same_message_has_one_digest_and_anything_else_another() {
        let digest = |asked| checked(asked).unwrap().digest;
        let one = digest(asked(vec![Part::text("hello")]));
        assert_eq!(one, digest(asked(vec![Part::text("hello")])));
        assert_ne!(one, digest(asked(vec![Part::text("hello ")])));
        let mut other = asked(vec![Part::text("hello")]);
        other.target_agent_id = "agt_2".to_owned();
        assert_ne!(one, digest(other));
        let mut other = asked(vec![Part::text("hello")]);
        other.metadata.insert("a".to_owned(), json!(1));
        assert_ne!(one, digest(other));
        // How it is answered is no part of it.
        let streamed = Asked { streams: true, ..asked(vec![Part::text("hello")]) };
        assert_eq!(one, digest(streamed));
    }

    #[test]
    fn what_no_message_can_be_is_refused() {
        let mut deep = json!(1);
        for _ in 0..MAX_DEPTH {
            deep = json!([deep]);
        }
        for (parts, said) in [
            (Vec::new(), "parts is empty"),
            (vec![Part::text("a"); PARTS_MOST + 1], "256 is the most"),
            (vec![Part::of(PartContent::Raw("%".to_owned()))], "parts[0].raw is no base64"),
            (vec![Part::text("a".repeat(MESSAGE_MAX_BYTES))], "bytes long"),
            (vec![Part::of(PartContent::Data(deep))], "nests deeper"),
            (vec![Part::text("a\0")], "NUL"),
        ] {
            let error = checked(asked(parts)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn an_approval_is_bound_to_all_that_is_handed_on_but_the_id_of_the_message() {
        let mut one = asked(vec![Part::text("hello")]);
        one.message.task_id = Some("task_1".to_owned());
        let bound_one = bound(&checked(one.clone()).unwrap().body);
        one.message.message_id = "m-2".to_owned();
        assert_eq!(bound(&checked(one.clone()).unwrap().body), bound_one);
        one.message.reference_task_ids.push("task_2".to_owned());
        assert_ne!(bound(&checked(one).unwrap().body), bound_one);
        assert_eq!(bound_one["taskId"], "task_1");
    }
}
