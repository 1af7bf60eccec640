//! Short ways to ask a Guardian by its router, without a socket.

use std::fmt::Display;
use std::ops::Deref;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The admin key of every Guardian under test.
pub const ADMIN: &str = "sk_test_admin";

/// Returns any text as one segment of a path.
#[must_use]
pub fn escaped(segment: &str) -> String {
    segment.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body: JSON where it reads as such, else the text.
    pub body: Value,
}

impl Answer {
    /// Returns a text of its body.
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field}: {self:?}")).to_owned()
    }

    /// Expects a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{self:?}");
        self
    }

    /// Expects this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status.as_u16(), self.body["error"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        self
    }

    /// Expects that the message says this.
    #[track_caller]
    pub fn says(&self, said: &str) -> &Self {
        assert!(self.text("message").contains(said), "{said:?} is not in {self:?}");
        self
    }

    /// Expects an allowed check.
    #[track_caller]
    pub fn allowed(&self) -> &Self {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.body["allowed"], true, "{self:?}");
        self
    }

    /// Expects a denied check, for this reason.
    #[track_caller]
    pub fn denied(&self, because: &str) -> &Self {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.body["allowed"], false, "{self:?}");
        assert_eq!(self.body["elevation_required"], false, "{self:?}");
        assert!(self.text("reason").contains(because), "{because:?} is not in {self:?}");
        self
    }

    /// Returns the id of the approval that it waits for.
    #[track_caller]
    pub fn held(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.body["allowed"], false, "{self:?}");
        assert_eq!(self.body["elevation_required"], true, "{self:?}");
        self.text("approval_id")
    }
}

/// A stream of events, as the bytes that arrive.
#[derive(Debug)]
pub struct Stream {
    body: Body,
}

impl Stream {
    /// Returns what is said next, one event or comment; `None` once it is over.
    pub async fn next(&mut self) -> Option<String> {
        // Nothing here takes a second. This is for the test that would hang.
        let frame = tokio::time::timeout(Duration::from_secs(30), self.body.frame());
        let frame = frame.await.expect("the stream says nothing, and does not end")?;
        let said = frame.unwrap().into_data().unwrap();
        Some(String::from_utf8(said.to_vec()).unwrap())
    }

    /// Returns the next revocation.
    pub async fn revocation(&mut self) -> Value {
        let said = self.next().await.expect("the stream is over");
        let data = said.strip_prefix("event: revocation\ndata: ").expect(&said);
        serde_json::from_str(data).unwrap()
    }

    /// Waits for the end of the stream.
    #[track_caller]
    pub fn over(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move { assert_eq!(self.next().await, None, "{caller}") }
    }
}

/// A Guardian behind its router, of whatever type a test knows it by.
#[derive(Debug)]
pub struct Api<G> {
    /// The Guardian.
    pub guardian: G,
    client: RouterClient,
}

impl<G> Api<G> {
    /// Asks this Guardian by the router that it has.
    pub fn new(guardian: G, router: impl FnOnce(&G) -> Router) -> Self {
        let client = RouterClient::new(router(&guardian));
        Self { guardian, client }
    }
}

impl<G> Deref for Api<G> {
    type Target = RouterClient;

    fn deref(&self) -> &RouterClient {
        &self.client
    }
}

/// Asks a Guardian whose admin key is [`ADMIN`] by its router.
#[derive(Clone, Debug)]
pub struct RouterClient {
    router: Router,
    /// The headers that go with every request, beside the key.
    headers: Vec<(String, String)>,
}

impl RouterClient {
    /// Asks by this router.
    pub fn new(router: Router) -> Self {
        Self { router, headers: Vec::new() }
    }

    /// Asks with these headers too, which may be one more of a name that is there.
    #[must_use]
    pub fn with(&self, headers: &[(&str, &str)]) -> Self {
        let mut with = self.clone();
        let more = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        with.headers.extend(more);
        with
    }

    /// Returns the answer to a request, read to its end; of a stream, its first event.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get("content-type");
        let bytes = if kind.is_some_and(|kind| kind == "text/event-stream") {
            // It has no end; its first event says that it is there.
            Stream { body }.next().await.unwrap().into()
        } else {
            to_bytes(body, usize::MAX).await.unwrap()
        };
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks with a key, and a body if there is one.
    pub async fn ask(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("X-API-Key", key)
            .header("Content-Type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// Reads something.
    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.ask(Method::GET, path, key, None).await
    }

    /// Posts something.
    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, key, Some(body)).await
    }

    /// Puts something.
    pub async fn put(&self, path: &str, key: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, key, Some(body)).await
    }

    /// Returns a new agent's id.
    pub async fn agent(&self, capabilities: &[&str]) -> String {
        let body = json!({ "name": "worker", "capabilities": capabilities });
        self.post("/api/v1/agents", ADMIN, body).await.ok().text("id")
    }

    /// Returns a new key.
    pub async fn key(&self, role: impl Display, agents: &[&str]) -> String {
        let body = json!({ "role": role.to_string(), "agents": agents });
        self.post("/api/v1/keys", ADMIN, body).await.ok().text("key")
    }

    /// Returns a new agent with everything it may want, and its key.
    pub async fn worker(&self) -> (String, String) {
        let agent = self.agent(&["*"]).await;
        let key = self.key("agent", &[&agent]).await;
        (agent, key)
    }

    /// Returns a check of `tool` for `agent`, nothing more.
    pub async fn check(&self, key: &str, agent: &str, tool: &str) -> Answer {
        self.check_as(key, json!({ "agent_id": agent, "action_name": tool })).await
    }

    /// Checks in a session.
    pub async fn check_in(&self, key: &str, agent: &str, tool: &str, session: &str) -> Answer {
        let body = json!({ "agent_id": agent, "action_name": tool, "session_id": session });
        self.check_as(key, body).await
    }

    /// Checks what this body says.
    pub async fn check_as(&self, key: &str, body: Value) -> Answer {
        self.post("/api/v1/agenttrust/check", key, body).await
    }

    /// Checks with more headers.
    pub async fn check_with(&self, key: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        self.with(headers).check_as(key, body).await
    }

    /// Approves.
    pub async fn approve(&self, key: &str, approval: &str) -> Answer {
        let path = format!("/mcp/approvals/{approval}/approve");
        self.post(&path, key, json!({ "decided_by": "ada@example.com" })).await
    }

    /// Denies.
    pub async fn deny(&self, key: &str, approval: &str) -> Answer {
        let path = format!("/mcp/approvals/{approval}/deny");
        self.post(&path, key, json!({ "decided_by": "ada@example.com" })).await
    }

    /// Returns an approval.
    pub async fn approval(&self, id: &str) -> Value {
        self.get(&format!("/mcp/approvals/{id}"), ADMIN).await.ok().body
    }

    /// Returns a new session of `agent`, as asked for.
    pub async fn session(&self, key: &str, agent: &str, more: Value) -> Answer {
        let mut body = json!({ "agent_id": agent, "server_id": "files" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/mcp/sessions/init", key, body).await
    }

    /// Returns a new token.
    pub async fn token(&self, agent: &str, scopes: &[&str]) -> String {
        let body = json!({ "agent_id": agent, "scopes": scopes });
        self.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
    }

    /// Returns the stream of revocations, once it is ready.
    pub async fn revocations(&self, key: &str) -> Stream {
        let mut request = Request::get("/api/v1/revocations/stream").header("X-API-Key", key);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.unwrap().into_parts();
        assert_eq!(parts.status, 200);
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        let mut stream = Stream { body };
        assert_eq!(stream.next().await.unwrap(), "event: ready\ndata: {}\n\n");
        stream
    }

    /// Returns how many places of this kind are held, as the metrics have it.
    pub async fn places_held(&self, of: &str) -> u64 {
        let text = self.get("/metrics", ADMIN).await.ok().body;
        let name = format!("agenttrust_held{{of=\"{of}\"}} ");
        let found = text.as_str().unwrap().lines().find_map(|line| line.strip_prefix(&name));
        found.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Returns every row of the audit of this kind.
    pub async fn audit(&self, kind: &str) -> Vec<Value> {
        let answer = self.get("/api/v1/audit?limit=1000", ADMIN).await.ok();
        let entries = answer.body["entries"].as_array().unwrap();
        entries.iter().filter(|entry| entry["kind"] == kind).cloned().collect()
    }

    /// Verifies the audit, and returns how many rows it has.
    pub async fn audit_rows(&self) -> u64 {
        let answer = self.get("/api/v1/audit/verify", ADMIN).await.ok();
        assert_eq!(answer.body["ok"], true, "{answer:?}");
        answer.body["rows"].as_u64().unwrap()
    }
}
