//! The dialect of the SDK guide at one address for all agents, which is no version of A2A: a task has its parties, and
//! a word for how it stands.
//!
//! Of its published clients the one in Python takes an error that comes with a status of 200 for a task that waits. So
//! an error has a status of its own here, and its sentence stands where both look for it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::refusal::{Failure, METHOD_NOT_FOUND, Refusal, TASK_NOT_FOUND};
use super::request::Request;
use super::request_context::RequestContext;
use crate::domain::task::{
    Message, MessageRole, ParseError, Part, PartContent, Spelled, TRUST_EXTENSION, Task, TaskState,
    Version, read,
};
use crate::domain::{Error, ErrorKind, ids};
use crate::engine::Engine;
use crate::services::tasks::parties::{self, Between};
use crate::services::tasks::{self, Asked, TaskFilter};
use crate::wire;

/// The largest number of tasks in a list; as many are listed where the caller names no limit.
const PAGE_MOST: usize = 100;
const PAGE: usize = 50;

/// Answers one request.
///
/// # Errors
///
/// Names the errors that HTTP has a status for.
pub(super) async fn answer(
    engine: &Arc<Engine>,
    context: RequestContext,
    body: &[u8],
) -> Result<Response, Error> {
    let (id, answered) = match Request::read(body) {
        Err(refusal) => (Value::Null, Err(refusal.into())),
        Ok(Request { id, method, params, spelled }) => {
            let asked = (Params::new(params), spelled);
            (id, answered(engine, &context, &method, asked).await)
        }
    };
    match answered {
        Ok(result) => super::encode::answer(engine, &context.counted, (&id, result)),
        Err(Failure::Protocol(refusal)) => Ok(refused(&refusal, &id)),
        Err(Failure::Other(error)) if error.kind() == ErrorKind::NotFound => {
            let refusal = Refusal::new(TASK_NOT_FOUND, error.message().to_owned());
            Ok(refused(&refusal, &id))
        }
        Err(Failure::Other(error)) => Err(*error),
    }
}

fn refused(refusal: &Refusal, id: &Value) -> Response {
    let status = match refusal.code() {
        TASK_NOT_FOUND => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut answer = refusal.to_json();
    if let Some(answer) = answer.as_object_mut() {
        if !id.is_null() {
            answer.insert("id".to_owned(), id.clone());
        }
        answer.insert("message".to_owned(), refusal.message().into());
    }
    wire::json(status, answer.to_string())
}

async fn answered(
    engine: &Arc<Engine>,
    context: &RequestContext,
    method: &str,
    (mut params, spelled): (Params, Spelled),
) -> Result<Value, Failure> {
    match method {
        "tasks/send" => send(engine, context, (params, spelled)).await,
        "tasks/get" => {
            let id = task_id(&mut params)?;
            let caller = context.reader(engine)?;
            Ok(written(&parties::get(engine, &caller, &id).await?))
        }
        "tasks/cancel" => {
            let id = task_id(&mut params)?;
            let caller = context.owner(engine)?;
            let task = tasks::cancel(engine, &caller, None, &id).await?;
            Ok(written(&Between { task, ..parties::get(engine, &caller, &id).await? }))
        }
        "tasks/list" => list(engine, context, params).await,
        _ => {
            let method: String = method.chars().filter(|it| !it.is_control()).take(100).collect();
            let message = format!(
                "there is no method {method:?} here; there are tasks/send, tasks/get, tasks/cancel and tasks/list, and \
                 those of A2A at /a2a/agents/{{id}}"
            );
            Err(Refusal::new(METHOD_NOT_FOUND, message).into())
        }
    }
}

async fn send(
    engine: &Arc<Engine>,
    context: &RequestContext,
    (mut params, spelled): (Params, Spelled),
) -> Result<Value, Failure> {
    let source = params.id("source_agent_id")?;
    let target_agent_id = params.need_id("target_agent_id")?;
    let mut message = message(params.need("message")?)?;
    // With the message, which is kept: it is told of the task again.
    message.metadata.extend(params.map("metadata")?);
    let caller = context.sender(engine, source)?;
    let asked = Asked {
        target_agent_id,
        message,
        metadata: Map::new(),
        spelled,
        accepted_output_modes: Vec::new(),
        streams: false,
        trace: context.trace.clone(),
        wait: Duration::ZERO,
    };
    let task = tasks::send(engine, &caller, asked).await?;
    let between = parties::get(engine, &caller, &task.id).await?;
    Ok(written(&Between { task, ..between }))
}

async fn list(
    engine: &Arc<Engine>,
    context: &RequestContext,
    mut params: Params,
) -> Result<Value, Failure> {
    let limit = params.count("limit")?.unwrap_or(PAGE);
    if limit == 0 {
        return Err(params.wrong("limit", "is 0; ask for at least one").into());
    }
    let state = params.text("state")?;
    let state = state.map(|word| {
        TaskState::of(&word)
            .ok_or_else(|| params.wrong("state", "is no state of a task, such as working"))
    });
    let filter = TaskFilter {
        target_agent_id: params.id("target_agent_id")?,
        context_id: params.id("context_id")?,
        state: state.transpose()?,
        cursor: params.text("cursor")?,
        limit: limit.min(PAGE_MOST),
        ..TaskFilter::default()
    };
    let caller = context.reader(engine)?;
    let (tasks, next) = parties::list(engine, &caller, filter).await?;
    let tasks: Vec<Value> = tasks.iter().map(written).collect();
    let mut list = Map::from_iter([("tasks".to_owned(), tasks.into())]);
    if let Some(next) = next {
        list.insert("next_cursor".to_owned(), next.into());
    }
    Ok(list.into())
}

/// Returns the task that is meant: one client says `id`, another `task_id`.
fn task_id(params: &mut Params) -> Result<String, ParseError> {
    match params.id("id")? {
        Some(id) => Ok(id),
        None => params.need_id("task_id"),
    }
}

/// Returns a message of whatever form: a text, a message of A2A, or an object that is handed on as it is.
fn message(said: Value) -> Result<Message, ParseError> {
    if let Value::Object(members) = &said
        && members.contains_key("parts")
    {
        let mut said = members.clone();
        let is_new = said.get("role").and_then(Value::as_str).is_some_and(|it| it.contains('_'));
        let version = if is_new { Version::V1 } else { Version::V03 };
        // Whoever sends by this dialect says neither, or both.
        said.entry("messageId").or_insert_with(|| ids::new(ids::MESSAGE_PREFIX).into());
        said.entry("role").or_insert_with(|| "user".into());
        return read::message(said.into(), version, "message");
    }
    let part = match said {
        Value::String(text) => Part::text(text),
        Value::Object(mut members) if members.len() == 1 => match members.remove("text") {
            Some(Value::String(text)) => Part::text(text),
            Some(other) => Part::of(PartContent::Data(json!({ "text": other }))),
            None => Part::of(PartContent::Data(members.into())),
        },
        other => Part::of(PartContent::Data(other)),
    };
    let message = Message::of_agent(ids::new(ids::MESSAGE_PREFIX), "");
    Ok(Message { role: MessageRole::User, parts: vec![part], ..message })
}

/// Returns the word for how a task stands.
const fn status(state: TaskState) -> &'static str {
    match state {
        TaskState::Submitted | TaskState::AuthRequired | TaskState::InputRequired => "pending",
        TaskState::Working => "running",
        TaskState::Completed => "completed",
        TaskState::Failed | TaskState::Rejected => "failed",
        TaskState::Canceled => "cancelled",
    }
}

fn written(between: &Between) -> Value {
    let Between { task, .. } = between;
    let state = task.status.state;
    let mut told = Map::from_iter([
        ("id".to_owned(), Value::from(task.id.as_str())),
        ("context_id".to_owned(), task.context_id.as_str().into()),
        ("source_agent_id".to_owned(), between.source_agent_id.clone().unwrap_or_default().into()),
        ("target_agent_id".to_owned(), between.target_agent_id.as_str().into()),
        ("status".to_owned(), status(state).into()),
        ("state".to_owned(), state.as_str().into()),
        ("message".to_owned(), asked(task)),
        ("artifacts".to_owned(), json!(task.artifacts)),
        ("metadata".to_owned(), metadata(task).into()),
        ("created_at".to_owned(), between.created_at.to_string().into()),
        ("updated_at".to_owned(), between.changed_at.to_string().into()),
    ]);
    if let Some(said) = &task.status.message {
        told.insert("status_message".to_owned(), text(said));
    }
    told.into()
}

/// Returns what the task was begun with.
fn asked(task: &Task) -> Value {
    first(task).map(text).unwrap_or_default()
}

/// Returns what was sent along with that, and what is known of the task here.
fn metadata(task: &Task) -> Map<String, Value> {
    let mut told = first(task).map(|message| message.metadata.clone()).unwrap_or_default();
    told.remove(TRUST_EXTENSION);
    told.extend(task.metadata.clone());
    told
}

fn first(task: &Task) -> Option<&Message> {
    task.history.iter().find(|message| message.role == MessageRole::User)
}

/// Returns a message as it was sent: a text where it is one, else its parts.
fn text(message: &Message) -> Value {
    match message.parts.as_slice() {
        [Part { content: PartContent::Text(text), .. }] => text.as_str().into(),
        [Part { content: PartContent::Data(data), .. }] => data.clone(),
        parts => json!({ "parts": parts }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_each_client_is_handed_on_as_what_it_is_and_told_back_as_it_came() {
        for (said, content) in [
            (json!("summarize"), PartContent::Text("summarize".to_owned())),
            (json!({ "a": 1, "text": "x" }), PartContent::Data(json!({ "a": 1, "text": "x" }))),
            (json!([1]), PartContent::Data(json!([1]))),
        ] {
            let message = message(said.clone()).unwrap();
            assert_eq!(message.parts, [Part::of(content)]);
            assert_eq!(message.role, MessageRole::User);
            assert_eq!(text(&message), said);
        }
        let object = message(json!({ "text": "summarize" })).unwrap();
        assert_eq!(object.parts, [Part::text("summarize")]);
        let old = json!({ "role": "user", "parts": [{ "kind": "text", "text": "x" }] });
        let new = json!({ "role": "ROLE_USER", "parts": [{ "text": "x" }], "messageId": "m" });
        for said in [old, new] {
            assert_eq!(message(said).unwrap().parts, [Part::text("x")]);
        }
        assert!(message(json!({ "parts": [{ "kind": "video" }] })).is_err());
    }

    #[test]
    fn state_has_one_of_five_words() {
        let words = TaskState::ALL.map(status);
        for word in words {
            let known = ["pending", "running", "completed", "failed", "cancelled"];
            assert!(known.contains(&word), "{word}");
        }
        assert_eq!(status(TaskState::AuthRequired), "pending");
        assert_eq!(status(TaskState::Rejected), "failed");
    }
}
