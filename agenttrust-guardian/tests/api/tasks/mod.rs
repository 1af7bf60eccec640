//! Tasks: dispatched once, whatever comes in between, and seen by no other agent.

mod as_things_are;
mod held;
mod inboxes;
mod outside;
mod seen;
mod sent;
mod target;
mod unsent;
mod withdrawn;

use agenttrust_guardian::GuardianBuilder;
use agenttrust_testkit::{ADMIN, Answer, escaped};
use serde_json::{Value, json};

use self::target::Target;
use crate::support::{Api, open_with};

/// A source that asks, a target that is asked, and their Guardian.
pub(crate) struct Fixture {
    pub(crate) api: Api,
    pub(crate) source: String,
    pub(crate) key: String,
    pub(crate) target: String,
    pub(crate) target_key: String,
    pub(crate) operator: String,
}

impl Fixture {
    /// Opens a Guardian in memory.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// Opens a Guardian with these settings.
    pub(crate) async fn with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Self {
        let api = open_with(|builder| settings(builder.allow_private_targets(true))).await;
        let (source, key) = api.worker().await;
        let (target, target_key) = api.worker().await;
        let operator = api.key("operator", &[]).await;
        Self { api, source, key, target, target_key, operator }
    }

    /// Sets in the target's card that the target is reached there.
    pub(crate) async fn reached_at(&self, target: &Target) {
        let interface = json!({
            "url": target.url, "protocol_binding": "JSONRPC", "protocol_version": "1.0",
        });
        let path = format!("/api/v1/agents/{}/card", self.target);
        self.api.post(&path, ADMIN, json!({ "interfaces": [interface] })).await.ok();
    }

    /// Makes what is sent to the target wait for an approval.
    pub(crate) async fn holds(&self) {
        let tool = escaped(&format!("a2a/{}", self.target));
        let path = format!("/api/v1/tools/{tool}/effect");
        self.api.put(&path, ADMIN, json!({ "effect": "destructive" })).await.ok();
    }

    /// Returns a request to the target, in words of A2A 1.0.
    pub(crate) async fn call(&self, key: &str, method: &str, params: Value) -> Value {
        let answer = call(&self.api, &self.target, key, method, params).await;
        answer.ok().body
    }

    /// Returns the result of one that must succeed.
    pub(crate) async fn done(&self, key: &str, method: &str, params: Value) -> Value {
        let answer = self.call(key, method, params).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Sends a message; returns its task.
    pub(crate) async fn sends(&self, id: &str, text: &str) -> Value {
        let task = self.done(&self.key, "SendMessage", message(id, text)).await["task"].clone();
        assert!(task["id"].as_str().unwrap().starts_with("task_"), "{task}");
        task
    }

    /// Returns the task as it stands.
    pub(crate) async fn task(&self, id: &Value) -> Value {
        self.done(&self.key, "GetTask", json!({ "id": id })).await
    }

    /// Waits until the task stands so.
    pub(crate) async fn becomes(&self, id: &Value, state: &str) -> Value {
        let look = async || {
            let task = self.task(id).await;
            if task["status"]["state"] == state { Ok(()) } else { Err(task) }
        };
        let long = std::time::Duration::from_secs(20);
        agenttrust_testkit::eventually_within(long, format!("it is not {state}"), look).await;
        self.task(id).await
    }
}

/// Returns a request to an agent, in words of A2A 1.0.
pub(crate) async fn call(
    api: &Api,
    target: &str,
    key: &str,
    method: &str,
    params: Value,
) -> Answer {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let api = api.with(&[("a2a-version", "1.0")]);
    api.post(&format!("/a2a/agents/{target}"), key, body).await
}

/// Returns a message that is sent without waiting for its end.
pub(crate) fn message(id: &str, text: &str) -> Value {
    json!({
        "message": { "messageId": id, "role": "ROLE_USER", "parts": [{ "text": text }] },
        "configuration": { "returnImmediately": true },
    })
}

/// Returns what the Guardian says of a task.
pub(crate) fn said(task: &Value) -> String {
    let text = task["status"]["message"]["parts"][0]["text"].as_str();
    text.unwrap_or_default().to_owned()
}

/// Returns what it knows of a task beside.
pub(crate) fn known<'t>(task: &'t Value, member: &str) -> &'t Value {
    &task["metadata"]["https://agenttrust.id/ext/trust/v1"][member]
}
