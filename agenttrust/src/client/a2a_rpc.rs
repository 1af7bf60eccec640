//! The requests that agents make of each other, and what is made of the answers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::json_rpc::{Fault, Reply, Request};
use super::path::segment;
use super::request::{Call, Failed};
use super::{AgentTrustClient, SendMessageOptions};
use crate::error::{AgentTrustError, Result};
use crate::model::{TaskEvent, TaskMessage, TaskPart, TaskRole, headers};

/// A2A's error for a task that is not there.
const TASK_NOT_FOUND: i64 = -32001;
/// JSON-RPC's error for parameters that are not as they must be.
const INVALID_PARAMS: i64 = -32602;

/// A request before it is sent.
pub(super) struct Rpc {
    path: String,
    method: &'static str,
    params: Value,
    as_agent: Option<String>,
}

impl Rpc {
    /// Creates one of the SDK guide's own.
    pub(super) fn of_guide(method: &'static str, params: Value) -> Self {
        Self { path: "/a2a".to_owned(), method, params, as_agent: None }
    }

    /// Creates one of A2A 0.3, to an agent.
    pub(super) fn to_agent(agent_id: &str, method: &'static str, params: Value) -> Result<Self> {
        let path = format!("/a2a/agents/{}", segment("agent id", agent_id)?);
        Ok(Self { path, method, params, as_agent: None })
    }

    /// Creates one that takes a message to an agent.
    pub(super) fn message(
        agent_id: &str,
        text: &str,
        options: &SendMessageOptions,
        method: &'static str,
    ) -> Result<Self> {
        let mut params = Map::new();
        params.insert("message".to_owned(), json!(message(text, options)?));
        if let Some(metadata) = &options.metadata {
            params.insert("metadata".to_owned(), metadata.clone());
        }
        let rpc = Self::to_agent(agent_id, method, Value::Object(params))?;
        if let Some(agent) = &options.as_agent {
            given("id of the agent that asks", agent)?;
        }
        Ok(Self { as_agent: options.as_agent.clone(), ..rpc })
    }

    /// Returns the request, to be sent by `client`.
    pub(super) fn call<'a>(&self, client: &'a AgentTrustClient) -> Call<'a> {
        let call =
            client.post(self.path.as_str()).json(&Request::new(self.method, Some(&self.params)));
        match &self.as_agent {
            Some(agent) => call.header(headers::AGENT_ID, agent),
            None => call,
        }
    }

    /// Sends it and returns the result.
    pub(super) async fn send(&self, client: &AgentTrustClient) -> Result<Value> {
        result(self.call(client).ask().await.map_err(failed)?.json()?)
    }
}

fn message(text: &str, options: &SendMessageOptions) -> Result<TaskMessage> {
    for (what, id) in [
        ("message id", &options.message_id),
        ("task id", &options.task_id),
        ("context id", &options.context_id),
    ] {
        if let Some(id) = id {
            given(what, id)?;
        }
    }
    let text = Some(text).filter(|text| !text.is_empty() || options.parts.is_empty());
    let parts = text.map(TaskPart::text).into_iter().chain(options.parts.iter().cloned());
    let made_up = || uuid::Uuid::new_v4().to_string();
    Ok(TaskMessage {
        message_id: options.message_id.clone().unwrap_or_else(made_up),
        role: TaskRole::User,
        parts: parts.collect(),
        task_id: options.task_id.clone(),
        context_id: options.context_id.clone(),
        metadata: None,
    })
}

/// Refuses an empty id.
pub(super) fn given(what: &str, id: &str) -> Result<()> {
    match id {
        "" => Err(AgentTrustError::invalid(format!("{what} is empty; give it, or leave it out"))),
        _ => Ok(()),
    }
}

/// Returns the result in an answer, which may be there without JSON-RPC around it.
pub(super) fn result(answer: Value) -> Result<Value> {
    match Reply::of(answer) {
        Reply::Result(result) if !result.is_null() => Ok(result),
        Reply::Fault(fault) => Err(refused(&fault)),
        Reply::Other(Value::Object(bare)) if !bare.is_empty() && !bare.contains_key("jsonrpc") => {
            Ok(Value::Object(bare))
        }
        Reply::Result(_) | Reply::Other(_) => Err(no_result("no result")),
    }
}

/// Returns an object in a result, bare or wrapped as `{"task": {…}}`.
pub(super) fn task<T: DeserializeOwned>(mut result: Value) -> Result<T> {
    if let Some(wrapped) = result.get_mut("task").filter(|inner| inner.is_object()) {
        result = wrapped.take();
    }
    read(result)
}

/// Returns the event of a task in a result.
pub(super) fn event(result: Value) -> Result<TaskEvent> {
    read(result)
}

/// Returns what is read of a result is read from an object: serde would take a list for its members, in order.
fn read<T: DeserializeOwned>(result: Value) -> Result<T> {
    match result.is_object() {
        true => serde_json::from_value(result).map_err(AgentTrustError::Json),
        false => Err(no_result("a result that is no object")),
    }
}

/// Returns the error for an answer that is not what was asked for.
pub(super) fn no_result(instead: &str) -> AgentTrustError {
    AgentTrustError::Api {
        message: format!(
            "the gateway answered with {instead} where A2A has a task; see that this is its A2A endpoint"
        ),
        code: "A2A_NO_RESULT".to_owned(),
        status: 200,
    }
}

/// Returns the error for what the other side refuses.
fn refused(fault: &Fault) -> AgentTrustError {
    told(&fault.code, fault.message("A2A"), 200)
}

/// Returns the error for what has a status of its own: that, unless it is JSON-RPC's bad request, which says less than
/// the number of its error.
pub(super) fn failed(failed: Failed) -> AgentTrustError {
    match (failed.error, failed.fault) {
        (AgentTrustError::Validation { message, status: status @ 1.. }, Some(code)) => {
            told(&code.into(), message, status)
        }
        (error, _) => error,
    }
}

/// Returns the error of the guide that says the same as A2A's of this number, else one with the number.
fn told(code: &Value, message: String, status: u16) -> AgentTrustError {
    match code.as_i64() {
        Some(TASK_NOT_FOUND) => AgentTrustError::NotFound { message, status },
        Some(INVALID_PARAMS) => AgentTrustError::Validation { message, status },
        _ => AgentTrustError::Api { message, code: format!("A2A_ERROR_{code}"), status },
    }
}
