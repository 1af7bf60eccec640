//! Agents asked by A2A: each dialect as it travels, agents behind that do what none should, streams, and those who are
//! told.

mod asked;
mod bad_input;
mod cancelling;
mod dialects;
mod exact;
mod followers;
mod guide;
mod history;
mod hostile;
mod push_ends;
mod pushes;
mod streams;
mod target;
mod vouched;
mod waits;
mod who;

use std::time::Duration;

use agenttrust_testkit::{ADMIN, Answer};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use self::target::{Speaks, Target};
use crate::tasks::Fixture;

/// A fixture whose target is on a socket.
struct Reached {
    fixture: Fixture,
    target: Target,
}

impl Reached {
    async fn by(speaks: Speaks) -> Self {
        Self::patient(speaks, Duration::from_secs(2)).await
    }

    /// Starts a target and a Guardian that waits for its answers this long.
    async fn patient(speaks: Speaks, timeout: Duration) -> Self {
        let fixture = Fixture::with(|builder| builder.mcp_timeout(timeout)).await;
        let target = Target::start(speaks).await;
        let interface = json!({
            "url": target.url, "protocol_binding": speaks.binding(), "protocol_version": speaks.version(),
        });
        let path = format!("/api/v1/agents/{}/card", fixture.target);
        fixture.api.post(&path, ADMIN, json!({ "interfaces": [interface] })).await.ok();
        Self { fixture, target }
    }

    fn path(&self) -> String {
        format!("/a2a/agents/{}", self.fixture.target)
    }

    /// Asks with these headers beside the key of the source.
    async fn asks(&self, headers: &[(&str, &str)], body: Value) -> Answer {
        self.fixture.api.with(headers).post(&self.path(), &self.fixture.key, body).await
    }

    /// Asks in 1.0; returns the whole message.
    async fn v1(&self, method: &str, params: Value) -> Value {
        self.asks(&[V1], request(1, method, params)).await.ok().body
    }

    /// Asks in 0.3; returns the whole message.
    async fn v03(&self, method: &str, params: Value) -> Value {
        self.asks(&[], request(1, method, params)).await.ok().body
    }

    /// Sends a message in 1.0 and waits for what comes of it; returns the task.
    async fn sends(&self, text: &str) -> Value {
        let said = self.v1("SendMessage", json!({ "message": v1_message(text) })).await;
        assert!(said["error"].is_null(), "{said}");
        said["result"]["task"].clone()
    }

    /// Sends a message without waiting; returns the id of its task.
    async fn begins(&self, text: &str) -> Value {
        let params = json!({
            "message": v1_message(text), "configuration": { "returnImmediately": true },
        });
        let said = self.v1("SendMessage", params).await;
        assert!(said["error"].is_null(), "{said}");
        said["result"]["task"]["id"].clone()
    }

    /// Sends the agent work that goes on; returns the id of its task.
    async fn works(&self) -> Value {
        let id = self.begins("work").await;
        self.fixture.becomes(&id, "TASK_STATE_WORKING").await;
        id
    }

    /// Asks for a stream, of which nothing is read.
    async fn streams(&self, headers: &[(&str, &str)], body: Value) -> Streamed {
        let mut request = Request::post(self.path())
            .header("x-api-key", &self.fixture.key)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.fixture.api.guardian.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Streamed { status: parts.status, headers: parts.headers, body, rest: String::new() }
    }
}

const V1: (&str, &str) = ("a2a-version", "1.0");

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// Returns a number for every message.
fn fresh() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("m-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

fn v1_message(text: &str) -> Value {
    json!({ "messageId": fresh(), "role": "ROLE_USER", "parts": [{ "text": text }] })
}

fn v03_message(text: &str) -> Value {
    json!({ "messageId": fresh(), "role": "user", "parts": [{ "kind": "text", "text": text }] })
}

/// Expects an error of the protocol.
#[track_caller]
fn refused(said: &Value, code: i64, says: &str) {
    assert_eq!(said["error"]["code"], code, "{said}");
    assert!(said["result"].is_null(), "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains(says), "{says:?} is not in {said}");
}

/// A stream that is read event by event.
struct Streamed {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    rest: String,
}

impl Streamed {
    /// Returns the message in the next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.rest.split_once("\n\n") {
                let data: String =
                    event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
                let rest = rest.to_owned();
                let message = (!data.is_empty()).then(|| serde_json::from_str(&data).unwrap());
                self.rest = rest;
                if message.is_some() {
                    return message;
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(30), self.body.frame());
            let frame = frame.await.expect("nothing comes, and it does not end")?;
            let bytes = frame.unwrap().into_data().unwrap();
            self.rest.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Returns all messages up to the end.
    async fn all(mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }

    /// Returns the whole answer, where it is no stream.
    async fn whole(self) -> Value {
        let bytes = self.body.collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }
}
