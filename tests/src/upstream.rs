//! [`upstream`]: an MCP server of our own, which answers as plainly as can be, or does what no server should.
//!
//! It speaks the protocol up to 2025-11-25, without sessions. The tool that is called says what it does. `echo`
//! answers. `hangs`, `stalls`, `html`, `gigabyte`, `endless_event`, `drops`, `floods` and `redirects` misbehave.
//! `slow_stream` sends something at once, and the rest later. At `/KIND/mcp`, with one of these names, it does so
//! whatever is asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream, StreamExt};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// The bytes that are sent at once.
const PIECE: usize = 64 * 1024;
/// The number of bytes that `gigabyte` and `endless_event` send, where that is taken.
const GIGABYTE: usize = 1024 * 1024 * 1024;
/// The number of notifications that `floods` sends.
pub const FLOOD: usize = 30_000;
/// The time that `drops` takes to drop.
const SHORT: Duration = Duration::from_millis(100);
/// The time that `slow_stream` takes for its answer.
pub const SLOW: Duration = Duration::from_secs(2);

/// The names of what it does.
pub const TOOLS: [&str; 10] = [
    "echo",
    "hangs",
    "stalls",
    "html",
    "gigabyte",
    "endless_event",
    "drops",
    "floods",
    "redirects",
    "slow_stream",
];

/// The tools that it says it has, which a test may change under it.
#[derive(Clone, Debug)]
pub struct Tools(Arc<Mutex<Vec<Value>>>);

impl Default for Tools {
    fn default() -> Self {
        let tool = |name: &str| {
            json!({
                "name": name,
                "description": format!("It {name}"),
                "inputSchema": { "type": "object", "properties": { "message": { "type": "string" } } },
                "annotations": { "readOnlyHint": true },
            })
        };
        Self(Arc::new(Mutex::new(TOOLS.map(tool).to_vec())))
    }
}

impl Tools {
    /// Changes a member of a tool.
    pub fn change(&self, name: &str, member: &str, to: Value) {
        let mut tools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in tools.iter_mut().filter(|tool| tool["name"] == name) {
            tool[member] = to.clone();
        }
    }

    /// Takes a tool away.
    pub fn remove(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|tool| tool["name"] != name);
    }

    fn listed(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the server, at `/mcp`, and at `/KIND/mcp` one that is up to no good throughout.
pub fn upstream(tools: Tools) -> Router {
    Router::new()
        .route("/mcp", post(answer))
        .route("/{kind}/mcp", any(async |Path(kind): Path<String>| does(&kind, &Value::Null).await))
        .with_state(tools)
}

async fn answer(State(tools): State<Tools>, Json(message): Json<Value>) -> Response {
    let id = &message["id"];
    let result = match message["method"].as_str().unwrap_or_default() {
        _ if id.is_null() => return StatusCode::ACCEPTED.into_response(),
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": { "listChanged": true } },
            "serverInfo": { "name": "upstream", "version": "1" },
        }),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": tools.listed() }),
        "tools/call" => match message["params"]["name"].as_str() {
            Some("echo") | None => said(&message["params"]["arguments"]["message"]),
            Some(kind) => return does(kind, id).await,
        },
        method => {
            let error =
                json!({ "code": -32601, "message": format!("there is no method {method}") });
            return Json(json!({ "jsonrpc": "2.0", "id": id, "error": error })).into_response();
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
}

fn said(message: &Value) -> Value {
    let text = message.as_str().unwrap_or_default();
    json!({ "content": [{ "type": "text", "text": text }] })
}

/// Returns what no server should do.
async fn does(kind: &str, id: &Value) -> Response {
    let answered = json!({ "jsonrpc": "2.0", "id": id, "result": said(&json!("at last")) });
    match kind {
        "hangs" => std::future::pending().await,
        "stalls" => of_type("application/json", stream::pending::<Result<Bytes, Infallible>>()),
        "html" => axum::response::Html("<html>Please log in</html>").into_response(),
        "gigabyte" => of_type("application/json", endless("{\"jsonrpc\":\"2.0\",\"id\":\"")),
        "endless_event" => of_type("text/event-stream", endless("data: ")),
        "drops" => {
            let events = stream::iter([Ok(event(&progress(1)))]);
            let broken = stream::once(async {
                tokio::time::sleep(SHORT).await;
                Err(std::io::Error::other("it drops"))
            });
            of_type("text/event-stream", events.chain(broken))
        }
        "floods" => {
            let flood = (0..FLOOD).map(|count| event(&progress(count)));
            let events = flood.chain([event(&answered)]);
            of_type("text/event-stream", stream::iter(events.map(Ok::<_, Infallible>)))
        }
        "redirects" => {
            let to = [(header::LOCATION, "http://169.254.169.254/latest/meta-data/")];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        "slow_stream" => {
            let first = stream::iter([event(&progress(1))]);
            let rest = stream::once(async move {
                tokio::time::sleep(SLOW).await;
                event(&answered)
            });
            of_type("text/event-stream", first.chain(rest).map(Ok::<_, Infallible>))
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn progress(count: usize) -> Value {
    let data = format!("notification {count} of very many that nobody asked for");
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": data } })
}

fn event(message: &Value) -> Bytes {
    format!("event: message\ndata: {message}\n\n").into()
}

/// Returns a beginning, and then ever more of the same.
fn endless(begin: &'static str) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let pieces = stream::iter(0..GIGABYTE / PIECE).map(move |_| piece.clone());
    stream::iter([Bytes::from_static(begin.as_bytes())]).chain(pieces).map(Ok)
}

fn of_type<E>(
    kind: &'static str,
    body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> Response
where
    E: Into<axum::BoxError> + 'static,
{
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
}
