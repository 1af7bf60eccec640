//! Every adapter of the guard, each with a request of its protocol: what the suite runs over.

use agenttrust::{Action, AgentTrustClient, AgentTrustGuard, Effect};
use agenttrust_tower::{AuthenticateLayer, GuardLayer, McpHttpLayer};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{BoxError, Layer, Service};
use tower_mcp::protocol::{CallToolParams, McpRequest, McpResponse, RequestId};
use tower_mcp::{CallToolResult, RouterRequest, RouterResponse, ToolRequest};

use crate::contract::probe::Probe;
use crate::guardian::Guardian;

/// A way to put a layer around a service.
pub(crate) trait Adapter {
    type Request: Send + 'static;
    type Response: Send + 'static;
    type Service: Service<Self::Request, Response = Self::Response, Error = BoxError, Future: Send + 'static>
        + Clone
        + Send
        + 'static;

    /// Whether it is a guard: it asks once a call, and reports once.
    const GUARDS: bool = true;

    fn layered(
        guardian: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service;

    fn request() -> Self::Request;

    fn response() -> Self::Response;

    /// Returns whether an answer is the inner service's own.
    fn is_answer(response: &Self::Response) -> bool;

    /// Takes the answer to its end, where it is one that goes on.
    fn take(_response: Self::Response) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A closure over any request.
pub(crate) struct Plain;

impl Adapter for Plain {
    type Request = String;
    type Response = String;
    type Service = agenttrust_tower::Guarded<
        Probe<String>,
        fn(&String) -> Action,
        agenttrust_tower::DenyAsError,
    >;

    fn layered(_: &Guardian, guard: &AgentTrustGuard, inner: Probe<String>) -> Self::Service {
        let extract: fn(&String) -> Action =
            |to| Action::new("send_mail").effect(Effect::Mutating).input(to);
        GuardLayer::new(guard.clone()).extract(extract).layer(inner)
    }

    fn request() -> String {
        "ada".to_owned()
    }

    fn response() -> String {
        "sent".to_owned()
    }

    fn is_answer(response: &String) -> bool {
        response == "sent"
    }
}

/// HTTP, with axum's bodies.
pub(crate) struct Http;

impl Adapter for Http {
    type Request = Request<Body>;
    type Response = Response<Body>;
    type Service = agenttrust_tower::Guarded<
        Probe<Response<Body>>,
        agenttrust_tower::http::HttpExtract,
        agenttrust_tower::http::HttpDeny,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Response<Body>>,
    ) -> Self::Service {
        GuardLayer::http(guard.clone()).layer(inner)
    }

    fn request() -> Request<Body> {
        Request::get("/files/plan.txt").body(Body::empty()).expect("a request")
    }

    fn response() -> Response<Body> {
        Response::builder().header("answer", "ours").body(Body::empty()).expect("a response")
    }

    fn is_answer(response: &Response<Body>) -> bool {
        response.headers().contains_key("answer")
    }
}

/// HTTP, with the bodies read first.
pub(crate) struct HttpBody;

impl Adapter for HttpBody {
    type Request = Request<Body>;
    type Response = Response<Body>;
    type Service = agenttrust_tower::Guarded<
        Probe<Response<Body>>,
        agenttrust_tower::http::HttpExtract,
        agenttrust_tower::http::HttpDeny,
        agenttrust_tower::http::BindBody,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Response<Body>>,
    ) -> Self::Service {
        GuardLayer::http(guard.clone()).bind_body(1024).layer(inner)
    }

    fn request() -> Request<Body> {
        Request::delete("/payments/7").body(Body::from("10 EUR")).expect("a request")
    }

    fn response() -> Response<Body> {
        Http::response()
    }

    fn is_answer(response: &Response<Body>) -> bool {
        Http::is_answer(response)
    }
}

/// gRPC, with the message read first.
pub(crate) struct GrpcMessage;

impl Adapter for GrpcMessage {
    type Request = Request<tonic::body::Body>;
    type Response = Response<tonic::body::Body>;
    type Service = agenttrust_tower::Guarded<
        Probe<Response<tonic::body::Body>>,
        agenttrust_tower::grpc::GrpcExtract,
        agenttrust_tower::grpc::GrpcDeny,
        agenttrust_tower::grpc::BindMessage,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        GuardLayer::grpc(guard.clone()).bind_message(1024).layer(inner)
    }

    fn request() -> Self::Request {
        let message = Bytes::from_static(b"\0\0\0\0\x02hi");
        Request::post("/files.v1.Files/GetFile")
            .body(tonic::body::Body::new(Full::new(message)))
            .expect("a request")
    }

    fn response() -> Self::Response {
        Grpc::response()
    }

    fn is_answer(response: &Self::Response) -> bool {
        Grpc::is_answer(response)
    }
}

/// gRPC, with tonic's bodies.
pub(crate) struct Grpc;

impl Adapter for Grpc {
    type Request = Request<tonic::body::Body>;
    type Response = Response<tonic::body::Body>;
    type Service = agenttrust_tower::Guarded<
        Probe<Response<tonic::body::Body>>,
        agenttrust_tower::grpc::GrpcExtract,
        agenttrust_tower::grpc::GrpcDeny,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        GuardLayer::grpc(guard.clone()).layer(inner)
    }

    fn request() -> Self::Request {
        Request::post("/files.v1.Files/GetFile")
            .body(tonic::body::Body::empty())
            .expect("a request")
    }

    fn response() -> Self::Response {
        Response::builder()
            .header("answer", "ours")
            .header("grpc-status", "0")
            .body(tonic::body::Body::empty())
            .expect("a response")
    }

    fn is_answer(response: &Self::Response) -> bool {
        response.headers().contains_key("answer")
    }
}

/// MCP over HTTP.
pub(crate) struct Mcp;

impl Adapter for Mcp {
    type Request = Request<Body>;
    type Response = Response<Body>;
    type Service = agenttrust_tower::mcp::McpHttp<
        agenttrust_tower::Guarded<
            Probe<Response<Body>>,
            agenttrust_tower::mcp::McpExtract,
            agenttrust_tower::mcp::McpDeny,
        >,
        agenttrust_tower::http::StringBody,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        McpHttpLayer::new(guard.clone()).layer(inner)
    }

    fn request() -> Request<Body> {
        let params = json!({ "name": "send_mail", "arguments": { "to": "ada" } });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        Request::post("/mcp").body(Body::from(message.to_string())).expect("a request")
    }

    fn response() -> Response<Body> {
        Response::builder()
            .header("answer", "ours")
            .header("content-type", "application/json")
            .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#))
            .expect("a response")
    }

    fn is_answer(response: &Response<Body>) -> bool {
        response.headers().contains_key("answer")
    }

    async fn take(response: Response<Body>) {
        response.into_body().collect().await.expect("a body that ends");
    }
}

/// A server of tower-mcp.
pub(crate) struct McpRouter;

impl Adapter for McpRouter {
    type Request = RouterRequest;
    type Response = RouterResponse;
    type Service = agenttrust_tower::Guarded<
        Probe<RouterResponse>,
        agenttrust_tower::tower_mcp::McpRouterExtract,
        agenttrust_tower::tower_mcp::McpRouterDeny,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        GuardLayer::mcp_router(guard.clone()).layer(inner)
    }

    fn request() -> RouterRequest {
        let params: CallToolParams =
            serde_json::from_value(json!({ "name": "send_mail", "arguments": { "to": "ada" } }))
                .expect("parameters");
        RouterRequest::new(RequestId::Number(1), McpRequest::CallTool(params))
    }

    fn response() -> RouterResponse {
        let inner = Ok(McpResponse::CallTool(CallToolResult::text("sent")));
        RouterResponse { id: RequestId::Number(1), inner }
    }

    fn is_answer(response: &RouterResponse) -> bool {
        matches!(&response.inner, Ok(McpResponse::CallTool(result)) if !result.is_error)
    }
}

/// A tool of tower-mcp.
pub(crate) struct McpTool;

impl Adapter for McpTool {
    type Request = ToolRequest;
    type Response = CallToolResult;
    type Service = agenttrust_tower::Guarded<
        Probe<CallToolResult>,
        agenttrust_tower::tower_mcp::McpToolExtract,
        agenttrust_tower::tower_mcp::McpToolDeny,
    >;

    fn layered(
        _: &Guardian,
        guard: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        GuardLayer::mcp_tool(guard.clone(), "send_mail").layer(inner)
    }

    fn request() -> ToolRequest {
        let context = tower_mcp::RequestContext::new(RequestId::Number(1));
        ToolRequest::new(context, json!({ "to": "ada" }))
    }

    fn response() -> CallToolResult {
        CallToolResult::text("sent")
    }

    fn is_answer(response: &CallToolResult) -> bool {
        !response.is_error
    }
}

/// The layer that makes agents known: it asks about tokens and not about calls.
pub(crate) struct Authenticated;

impl Adapter for Authenticated {
    type Request = Request<Body>;
    type Response = Response<Body>;
    type Service =
        agenttrust_tower::Authenticate<Probe<Response<Body>>, agenttrust_tower::http::StringBody>;

    const GUARDS: bool = false;

    fn layered(
        guardian: &Guardian,
        _: &AgentTrustGuard,
        inner: Probe<Self::Response>,
    ) -> Self::Service {
        let client: AgentTrustClient = guardian.client();
        AuthenticateLayer::new(client).layer(inner)
    }

    fn request() -> Request<Body> {
        Request::get("/files/plan.txt")
            .header("authorization", "Bearer at_good")
            .body(Body::empty())
            .expect("a request")
    }

    fn response() -> Response<Body> {
        Http::response()
    }

    fn is_answer(response: &Response<Body>) -> bool {
        Http::is_answer(response)
    }
}
