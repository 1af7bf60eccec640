//! A2A over JSON-RPC, in the words of version 1.0.

use std::time::Instant;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Error, Outgoing};
use super::{Handed, SendError, Sent, Way};
use crate::domain::ids;
use crate::domain::task::{Message, Task};

/// The most that is read of an answer.
const ANSWER_MAX_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
struct Answer {
    jsonrpc: String,
    id: Value,
    result: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Response {
    Task(Box<Task>),
    Message(Box<Message>),
}

pub(super) async fn send(way: &Way<'_>, handed: &Handed) -> Result<Sent, SendError> {
    let mut configuration = json!({ "returnImmediately": true });
    if let Some(configuration) = configuration.as_object_mut()
        && !handed.accepted_output_modes.is_empty()
    {
        let modes = json!(handed.accepted_output_modes);
        configuration.insert("acceptedOutputModes".to_owned(), modes);
    }
    let mut params = json!({ "message": handed.message, "configuration": configuration });
    if let Some(params) = params.as_object_mut()
        && !handed.metadata.is_empty()
    {
        params.insert("metadata".to_owned(), json!(handed.metadata));
    }
    let result = call(way, "SendMessage", params).await?;
    match serde_json::from_value(result) {
        Ok(Response::Task(task)) => {
            match &handed.message.task_id {
                Some(id) => need_id(id, &task)?,
                None => {}
            }
            Ok(Sent::Task(task))
        }
        Ok(Response::Message(message)) => Ok(Sent::Message(message)),
        Err(error) => Err(SendError::Lies(format!("it is neither a task nor a message: {error}"))),
    }
}

pub(super) async fn get(way: &Way<'_>, task_id: &str) -> Result<Task, SendError> {
    task(way, "GetTask", task_id).await
}

pub(super) async fn cancel(way: &Way<'_>, task_id: &str) -> Result<Task, SendError> {
    task(way, "CancelTask", task_id).await
}

async fn task(way: &Way<'_>, method: &str, task_id: &str) -> Result<Task, SendError> {
    let result = call(way, method, json!({ "id": task_id })).await?;
    let task: Task = serde_json::from_value(result)
        .map_err(|error| SendError::Lies(format!("it is no task: {error}")))?;
    need_id(task_id, &task)?;
    Ok(task)
}

fn need_id(id: &str, task: &Task) -> Result<(), SendError> {
    match task.id == id {
        true => Ok(()),
        false => Err(SendError::Lies("it is about another task".to_owned())),
    }
}

async fn call(way: &Way<'_>, method: &str, params: Value) -> Result<Value, SendError> {
    let begun = Instant::now();
    let id = ids::new("req_");
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, json.clone()),
        (ACCEPT, json),
        (HeaderName::from_static("a2a-version"), HeaderValue::from_static("1.0")),
    ]);
    let outgoing = Outgoing {
        method: Method::POST,
        target: way.interface.url.clone(),
        headers,
        body: body.to_string().into(),
        first_byte_within: way.patience,
    };
    let answer = way.outbound.send(outgoing).await.map_err(unanswered)?;
    let status = answer.status;
    let left = way.patience.saturating_sub(begun.elapsed());
    let body = answer.whole(ANSWER_MAX_BYTES, left).await.map_err(unanswered)?;
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|_| SendError::Lies(format!("it is no answer of JSON-RPC (HTTP {status})")))?;
    if answer.jsonrpc != "2.0" || answer.id != id {
        return Err(SendError::Lies("it answers another request".to_owned()));
    }
    match (answer.result, answer.error) {
        (Some(result), None) => Ok(result),
        (None, Some(Refusal { code, message })) => {
            let message = message.chars().take(300).collect();
            Err(SendError::Refused { code, message })
        }
        _ => Err(SendError::Lies("it has no result and no error, or both".to_owned())),
    }
}

fn unanswered(error: Error) -> SendError {
    match error {
        Error::Refused(_) | Error::Unreached(_) => SendError::NotSent(error.to_string()),
        Error::NoAnswer(_) => SendError::InDoubt(error.to_string()),
        Error::Redirected { .. } | Error::TooLong(_) => SendError::Lies(error.to_string()),
    }
}
