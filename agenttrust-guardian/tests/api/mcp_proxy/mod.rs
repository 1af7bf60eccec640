//! The proxy in front of MCP servers: each rule of it, with a strict server on a socket behind.

mod bad_input;
mod belongs;
mod checked;
mod delegated;
mod ends;
mod exact;
mod hostile;
mod in_session;
mod legacy;
mod lists;
mod modern;
mod outside;
mod plain;
mod proven;
mod restarts;
mod resumed;
mod room;
mod shares;
mod tasks;
mod upstream;
mod who;

use std::time::Duration;

use agenttrust_guardian::{Guardian, GuardianBuilder};
use agenttrust_testkit::{ADMIN, eventually_within};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use self::upstream::{Speaks, Upstream};
use crate::support::{Api, open_with};

/// A Guardian with one MCP server, `files`, and an agent that may call everything there.
struct Fixture {
    api: Api,
    upstream: Upstream,
    server: String,
    agent: String,
    key: String,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    /// The messages in it, one or those of the events.
    messages: Vec<Value>,
    text: String,
}

impl Said {
    /// Returns the last message, which is the answer.
    fn answer(&self) -> &Value {
        self.messages.last().unwrap_or_else(|| panic!("no answer: {self:?}"))
    }

    #[track_caller]
    fn text_of_tool(&self) -> &str {
        assert_eq!(self.status, 200, "{self:?}");
        let content = &self.answer()["result"]["content"][0]["text"];
        content.as_str().unwrap_or_else(|| panic!("no text: {self:?}"))
    }

    /// Expects an error of JSON-RPC.
    #[track_caller]
    fn refused(&self, status: u16, code: i64, says: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let error = &self.answer()["error"];
        assert_eq!(error["code"], code, "{self:?}");
        assert!(error["message"].as_str().unwrap().contains(says), "{says:?} is not in {self:?}");
        self
    }

    /// Expects a denied call of a tool, for this reason.
    #[track_caller]
    fn denied(&self, says: &str) -> &Self {
        assert_eq!(self.answer()["result"]["isError"], true, "{self:?}");
        assert!(self.text_of_tool().contains(says), "{says:?} is not in {self:?}");
        self
    }

    /// Returns the approval that it waits for.
    #[track_caller]
    fn held(&self) -> String {
        let denial = &self.answer()["result"]["_meta"]["agenttrust/denial"];
        assert_eq!(denial["code"], "ELEVATION_REQUIRED", "{self:?}");
        denial["approval_id"].as_str().unwrap().to_owned()
    }
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

fn call(tool: &str, arguments: Value) -> Value {
    request(1, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// Returns the same of a client of the modern era that knows tasks.
fn knowing_tasks(mut message: Value) -> Value {
    let can = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can;
    message
}

/// Returns the same in the modern era, with its headers.
fn modern(mut message: Value) -> (Vec<(&'static str, String)>, Value) {
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    let can = &mut message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    if can.is_null() {
        *can = json!({});
    }
    let method = message["method"].as_str().unwrap().to_owned();
    let mut headers = vec![
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method),
        ("accept", "application/json, text/event-stream".to_owned()),
    ];
    let params = &message["params"];
    if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
        headers.push(("mcp-name", name.to_owned()));
    }
    (headers, message)
}

impl Fixture {
    async fn of(speaks: Speaks, tools: &[&str]) -> Self {
        Self::with(speaks, tools, |builder| builder).await
    }

    async fn with(
        speaks: Speaks,
        tools: &[&str],
        settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder,
    ) -> Self {
        let upstream = Upstream::start(speaks, tools).await;
        let api = open_with(|builder| settings(builder.allow_private_targets(true))).await;
        let body = json!({ "name": "files", "url": upstream.url });
        let server = api.post("/mcp/servers", ADMIN, body).await.ok().text("id");
        let (agent, key) = api.worker().await;
        Self { api, upstream, server, agent, key }
    }

    /// Returns the same fixture, as another agent that may call everything knows it.
    async fn another(&self) -> Self {
        let (agent, key) = self.api.worker().await;
        let api = Api::new(self.api.guardian.clone(), Guardian::router);
        Self { api, upstream: self.upstream.clone(), server: self.server.clone(), agent, key }
    }

    fn path(&self) -> String {
        format!("/mcp/{}", self.server)
    }

    /// Sends a request as it is; the answer is not read.
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.api.guardian.router().oneshot(request).await.unwrap()
    }

    /// Sends with the agent's key.
    async fn begin(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Response<Body> {
        let mut all = vec![("x-api-key", self.key.as_str())];
        all.extend(headers);
        self.begin_as(method, &all, body.map(|body| body.to_string())).await
    }

    /// Sends with nothing but these headers.
    async fn begin_as(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(self.path());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(body.map_or_else(Body::empty, Body::from)).unwrap()).await
    }

    /// Posts a message with the agent's key and these headers.
    async fn post(&self, headers: &[(&str, &str)], body: Value) -> Said {
        read(self.begin(Method::POST, headers, Some(body)).await).await
    }

    /// Posts a message as a client that knows nothing of MCP.
    async fn plain(&self, body: Value) -> Said {
        self.post(&[], body).await
    }

    /// Posts a message of the modern era.
    async fn modern(&self, message: Value) -> Said {
        self.modern_with(&[], message).await
    }

    async fn modern_with(&self, more: &[(&str, &str)], message: Value) -> Said {
        let (headers, message) = modern(message);
        let mut headers: Vec<_> = headers.iter().map(|(name, it)| (*name, it.as_str())).collect();
        headers.extend(more);
        self.post(&headers, message).await
    }

    /// Opens a session; returns its id.
    async fn session(&self) -> String {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" },
        });
        let said = self.post(&[ACCEPTS], request(0, "initialize", params)).await;
        assert_eq!(said.answer()["result"]["protocolVersion"], "2025-11-25", "{said:?}");
        let session = said.headers["mcp-session-id"].to_str().unwrap().to_owned();
        let told = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(self.in_session(&session, told).await.status, 202);
        session
    }

    /// Posts a message in a session.
    async fn in_session(&self, session: &str, body: Value) -> Said {
        self.post(&of_session(session), body).await
    }

    /// Begins a call in a session, and reads nothing of it.
    async fn begin_in(&self, session: &str, body: Value) -> Response<Body> {
        self.begin(Method::POST, &of_session(session), Some(body)).await
    }

    /// Returns the approval that waits, once there is one.
    async fn pending(&self) -> String {
        let look = async || {
            let pending = self.api.get("/mcp/approvals?status=pending", ADMIN).await.ok().body;
            pending["approvals"][0]["id"].as_str().map(str::to_owned)
        };
        eventually_within(Duration::from_secs(30), "nothing waits", look).await
    }

    /// Approves with a key that did not ask.
    async fn approve(&self, approval: &str) {
        self.api.approve(ADMIN, approval).await.ok();
    }

    /// Returns a token of the agent.
    async fn token(&self, scopes: &[&str], audience: &[&str]) -> String {
        let body = json!({ "agent_id": self.agent, "scopes": scopes, "audience": audience });
        self.api.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
    }

    /// Returns how the calls of this tool ended, as the audit has it.
    async fn outcomes(&self, tool: &str) -> Vec<Value> {
        let rows = self.api.audit("outcome").await;
        let of_tool = rows.into_iter().map(|row| row["body"].clone());
        of_tool.filter(|body| body["tool"] == tool).collect()
    }
}

const ACCEPTS: (&str, &str) = ("accept", "application/json, text/event-stream");

fn of_session(session: &str) -> [(&str, &str); 3] {
    [("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25"), ACCEPTS]
}

/// Reads an answer to its end.
async fn read(response: Response<Body>) -> Said {
    let (parts, body) = response.into_parts();
    let bytes = tokio::time::timeout(std::time::Duration::from_secs(60), body.collect());
    let bytes = bytes.await.expect("the answer has no end").unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let is_stream = parts.headers.get("content-type").is_some_and(|it| it == "text/event-stream");
    let messages = match is_stream {
        true => text.lines().filter_map(|line| line.strip_prefix("data: ")).map(message).collect(),
        false if text.is_empty() => Vec::new(),
        false => vec![message(&text)],
    };
    Said { status: parts.status, headers: parts.headers, messages, text }
}

fn message(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text:?} is no JSON"))
}

/// Returns the next event or comment of an answer that goes on.
async fn next(body: &mut Body) -> String {
    let frame = tokio::time::timeout(std::time::Duration::from_secs(30), body.frame());
    let frame = frame.await.expect("nothing comes").expect("it is over").unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}
