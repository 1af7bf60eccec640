//! An MCP server on a socket, behind the layer, that remembers what reached it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use agenttrust::AgentTrustGuard;
use agenttrust_testkit::eventually;
use agenttrust_tower::McpHttpLayer;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::guardian::{Guardian, Script};

/// The answer of the server behind the layer to a request that reached it.
pub(crate) type Answer = Arc<dyn Fn(&Parts, &Value) -> Response<Body> + Send + Sync>;

/// A request that reached the server.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) head: Parts,
    pub(crate) text: Bytes,
}

impl ReceivedRequest {
    pub(crate) fn message(&self) -> Value {
        serde_json::from_slice(&self.text).expect("what is handed on is JSON")
    }
}

pub(crate) struct GuardedServer {
    pub(crate) guardian: Guardian,
    pub(crate) guard: AgentTrustGuard,
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl GuardedServer {
    /// Creates a server that answers every call well, behind a layer that guards tools.
    pub(crate) async fn open(script: Script) -> Self {
        Self::with(script, |layer| layer).await
    }

    pub(crate) async fn with(
        script: Script,
        refine: impl FnOnce(McpHttpLayer) -> McpHttpLayer,
    ) -> Self {
        Self::answering(script, refine, Arc::new(|_, message| well(message))).await
    }

    pub(crate) async fn answering(
        script: Script,
        refine: impl FnOnce(McpHttpLayer) -> McpHttpLayer,
        answer: Answer,
    ) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&heard);
        let server = any(move |request: Request| {
            let (answer, remembered) = (Arc::clone(&answer), Arc::clone(&remembered));
            async move {
                let (mut head, body) = request.into_parts();
                // Whoever holds on to the means to take a connection over keeps it open.
                head.extensions.clear();
                let text = body.collect().await.expect("the body was read before").to_bytes();
                let message = serde_json::from_slice(&text).unwrap_or_default();
                let answered = answer(&head, &message);
                remembered.lock().expect("no panic").push(ReceivedRequest { head, text });
                answered
            }
        });
        Self::serving(Guardian::new(script), refine, Router::new().route("/mcp", server), heard)
            .await
    }

    /// Starts the layer around a router of the test's own.
    pub(crate) async fn around(
        guardian: Guardian,
        refine: impl FnOnce(McpHttpLayer) -> McpHttpLayer,
        router: Router,
    ) -> Self {
        Self::serving(guardian, refine, router, Arc::default()).await
    }

    async fn serving(
        guardian: Guardian,
        refine: impl FnOnce(McpHttpLayer) -> McpHttpLayer,
        router: Router,
        heard: Arc<Mutex<Vec<ReceivedRequest>>>,
    ) -> Self {
        let guard = guardian.guard();
        let router = router.layer(refine(McpHttpLayer::new(guard.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { guardian, guard, address, heard }
    }

    /// Returns what reached the server, oldest first.
    pub(crate) fn heard(&self) -> Vec<ReceivedRequest> {
        self.heard.lock().expect("no panic").clone()
    }

    /// Returns the one message that reached the server.
    pub(crate) fn only_heard(&self) -> ReceivedRequest {
        let heard = self.heard();
        let [only] = heard.as_slice() else { panic!("one message, not {heard:#?}") };
        only.clone()
    }

    /// Waits for the report of the one call that was made.
    pub(crate) async fn report(&self) -> Value {
        let reported = async || self.reports().await.first().cloned();
        eventually("nothing was reported", reported).await
    }

    /// Returns everything that was reported.
    pub(crate) async fn reports(&self) -> Vec<Value> {
        self.guardian.events(&self.guard).await
    }
}

/// Returns a call of a tool.
pub(crate) fn tools_call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params })
}

/// Returns the answer of a server where all went well.
pub(crate) fn well(message: &Value) -> Response<Body> {
    let result = json!({ "content": [{ "type": "text", "text": "done" }] });
    plain(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}

/// Returns a plain JSON answer.
pub(crate) fn plain(answer: &Value) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(answer.to_string().into())
        .expect("the head is right")
}
