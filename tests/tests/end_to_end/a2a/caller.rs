//! [`Caller`]: one who speaks JSON-RPC of A2A in plain HTTP.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::targets::address;
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// The counter that makes the ids of messages different.
static MESSAGES: AtomicU64 = AtomicU64::new(1);

/// A caller of an agent behind the Guardian.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    version: &'static str,
}

impl Caller {
    /// Returns a caller with the key of the Guardian's agent, by 1.0.
    pub(super) fn agent(guardian: &GuardianWithAgent, target_id: &str) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = address(guardian, target_id);
        Ok(Self { client, url, key: Some(guardian.key.clone()), version: "1.0" })
    }

    /// Returns the caller, by another version.
    pub(super) fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// Returns the caller with this key, or without one.
    pub(super) fn key(self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self }
    }

    fn request(&self, body: String) -> reqwest::RequestBuilder {
        let request = self.client.post(&self.url).header("a2a-version", self.version);
        let request = request.header("content-type", "application/json").body(body);
        self.key.iter().fold(request, |request, key| request.header("x-api-key", key))
    }

    /// Sends a body as it is.
    pub(super) async fn posted(&self, body: String) -> Result<(StatusCode, Value)> {
        let answer = self.request(body).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        let body = serde_json::from_slice(&body)
            .with_context(|| format!("{status}: {}", String::from_utf8_lossy(&body)))?;
        Ok((status, body))
    }

    /// Returns the answer to a method, a result or an error.
    pub(super) async fn answer(&self, method: &str, params: Value) -> Result<Value> {
        let id = "a request";
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let (status, answer) = self.posted(body.to_string()).await?;
        ensure!(status == StatusCode::OK, "{method}: {status}: {answer}");
        ensure!(answer["jsonrpc"] == "2.0" && answer["id"] == id, "{method}: {answer}");
        ensure!(
            answer.get("result").is_some() != answer.get("error").is_some(),
            "{method}: {answer}"
        );
        Ok(answer)
    }

    /// Returns its result.
    pub(super) async fn result(&self, method: &str, params: Value) -> Result<Value> {
        let mut answer = self.answer(method, params).await?;
        ensure!(answer["error"].is_null(), "{method}: {answer}");
        Ok(answer["result"].take())
    }

    /// Returns the code of its error, which also says something.
    pub(super) async fn refused(&self, method: &str, params: Value) -> Result<i64> {
        let answer = self.answer(method, params).await?;
        let error = &answer["error"];
        ensure!(
            error["message"].as_str().is_some_and(|said| !said.is_empty()),
            "{method}: {answer}"
        );
        error["code"].as_i64().with_context(|| format!("{method}: {answer}"))
    }

    /// Returns every result of a stream, which ends.
    pub(super) async fn streamed(&self, method: &str, params: Value) -> Result<Vec<Value>> {
        let body =
            json!({ "jsonrpc": "2.0", "id": "a stream", "method": method, "params": params });
        let answer = self.request(body.to_string()).send().await?;
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        ensure!(kind.is_some_and(|kind| kind.starts_with("text/event-stream")), "{kind:?}");
        let text = answer.text().await?;
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        data.map(|data| {
            let mut event: Value = serde_json::from_str(data.trim())?;
            ensure!(event["id"] == "a stream" && event["error"].is_null(), "{event}");
            Ok(event["result"].take())
        })
        .collect()
    }

    /// Returns a message of a new id that begins a task.
    pub(super) fn message(&self, text: &str) -> Value {
        let id = format!("message-{}", MESSAGES.fetch_add(1, Ordering::Relaxed));
        json!({ "messageId": id, "role": "ROLE_USER", "parts": [{ "text": text }] })
    }

    /// Sends a message, and returns the task that it is about.
    pub(super) async fn sent(&self, message: &Value) -> Result<Value> {
        let mut result = self.result("SendMessage", json!({ "message": message })).await?;
        ensure!(result["task"]["id"].is_string(), "no task: {result}");
        Ok(result["task"].take())
    }

    /// Returns the task of a new message.
    pub(super) async fn said(&self, text: &str) -> Result<Value> {
        self.sent(&self.message(text)).await
    }

    /// Returns the answer to a message with these members that makes a task go on.
    pub(super) async fn continued(&self, text: &str, members: &Value) -> Result<Value> {
        let mut message = self.message(text);
        for (name, member) in members.as_object().into_iter().flatten() {
            message[name] = member.clone();
        }
        self.answer("SendMessage", json!({ "message": message })).await
    }

    /// Returns a task as it stands.
    pub(super) async fn task(&self, id: &Value) -> Result<Value> {
        self.result("GetTask", json!({ "id": id })).await
    }
}

/// Returns the state of a task, without what every state begins with.
pub(super) fn state(task: &Value) -> &str {
    let state = task["status"]["state"].as_str().unwrap_or_default();
    state.strip_prefix("TASK_STATE_").unwrap_or(state)
}
