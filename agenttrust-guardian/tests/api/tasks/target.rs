//! An agent on a socket that speaks A2A 1.0 over JSON-RPC, counts what it is sent, and does as it is told.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The target's way with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// The task is done at once.
    Completes,
    /// The target works at the task until it is cancelled, or told to end it.
    Works,
    /// The target wants another message.
    AsksBack,
    /// The target answers with a message instead of a task.
    Says,
    /// The target takes the message and hangs up.
    HangsUp,
    /// The target refuses the message.
    Refuses,
    /// The target answers about another task than it was asked for.
    Lies,
    /// The target's answer is no JSON.
    Html,
}

/// The agent.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    does: Mutex<Does>,
    /// The messages that it was sent.
    sent: Mutex<Vec<Value>>,
    asked: AtomicUsize,
    state: Mutex<&'static str>,
}

impl Target {
    /// Begins to listen.
    pub(crate) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a2a", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            does: Mutex::new(does),
            sent: Mutex::default(),
            asked: AtomicUsize::new(0),
            state: Mutex::new("TASK_STATE_WORKING"),
        });
        let router = Router::new().route("/a2a", post(answer)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Changes what the target does from now on.
    pub(crate) fn does(&self, does: Does) {
        *self.inner.does.lock().unwrap() = does;
    }

    /// Sets the state of the task that it works at, as it tells it.
    pub(crate) fn is(&self, state: &'static str) {
        *self.inner.state.lock().unwrap() = state;
    }

    /// Returns the messages that it was sent.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.inner.sent.lock().unwrap().clone()
    }

    /// Returns how often it was asked after a task.
    pub(crate) fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }
}

fn task(state: &str) -> Value {
    json!({
        "id": "theirs-1", "contextId": "theirs-c", "status": { "state": state },
        "artifacts": [{ "artifactId": "a", "parts": [{ "text": "a result" }] }],
    })
}

async fn answer(State(inner): State<Arc<Inner>>, Json(asked): Json<Value>) -> Response {
    let does = *inner.does.lock().unwrap();
    let result = match asked["method"].as_str().unwrap() {
        "SendMessage" => {
            inner.sent.lock().unwrap().push(asked["params"]["message"].clone());
            match does {
                Does::Completes => json!({ "task": task("TASK_STATE_COMPLETED") }),
                Does::Works => json!({ "task": task("TASK_STATE_WORKING") }),
                Does::AsksBack => json!({ "task": task("TASK_STATE_INPUT_REQUIRED") }),
                Does::Says => json!({ "message": {
                    "messageId": "said", "role": "ROLE_AGENT", "parts": [{ "text": "hello" }],
                } }),
                Does::HangsUp => {
                    // Long enough for whoever would kill the Guardian meanwhile.
                    tokio::time::sleep(Duration::from_secs(3_600)).await;
                    return "".into_response();
                }
                Does::Refuses => return refuse(&asked, -32005, "no such content"),
                Does::Lies => {
                    let task = json!({ "id": asked["id"], "status": { "state": "nonsense" } });
                    json!({ "task": task })
                }
                Does::Html => return "<html>".into_response(),
            }
        }
        "SendStreamingMessage" => {
            inner.sent.lock().unwrap().push(asked["params"]["message"].clone());
            let working = json!({ "task": task("TASK_STATE_WORKING") });
            let first = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": working });
            let first = stream::iter([Ok::<_, std::io::Error>(format!("data: {first}\n\n"))]);
            let media = [("content-type", "text/event-stream")];
            return (media, Body::from_stream(first.chain(stream::pending()))).into_response();
        }
        "GetTask" | "CancelTask" if asked["params"]["id"] != "theirs-1" => {
            return refuse(&asked, -32001, "no such task");
        }
        "GetTask" => {
            inner.asked.fetch_add(1, Ordering::SeqCst);
            task(*inner.state.lock().unwrap())
        }
        "CancelTask" => {
            *inner.state.lock().unwrap() = "TASK_STATE_CANCELED";
            task("TASK_STATE_CANCELED")
        }
        other => return refuse(&asked, -32601, other),
    };
    Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result })).into_response()
}

fn refuse(asked: &Value, code: i64, message: &str) -> Response {
    let error = json!({ "code": code, "message": message });
    Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error })).into_response()
}
