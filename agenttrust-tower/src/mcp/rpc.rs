//! Errors and results of JSON-RPC 2.0, as answers over HTTP.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const INVALID_PARAMS: i32 = -32602;
pub(super) const INTERNAL_ERROR: i32 = -32603;
/// MCP 2026-07-28: a header contradicts the body.
pub(super) const HEADER_MISMATCH: i32 = -32020;

/// Why a message is not handed on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) code: i32,
    pub(super) message: String,
    /// The id of the request, where it could be read; else null, as JSON-RPC has it.
    pub(super) id: Value,
}

impl Rejection {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into(), id: Value::Null }
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) fn id(mut self, id: Value) -> Self {
        self.id = id;
        self
    }

    pub(super) fn into_response<B>(self, make_body: impl FnOnce(String) -> B) -> Response<B> {
        let Self { status, code, message, id } = self;
        let error = json!({ "code": code, "message": message });
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        answer(status, body, make_body)
    }
}

/// A message as the body of an answer.
pub(super) fn answer<B>(
    status: StatusCode,
    body: Value,
    make_body: impl FnOnce(String) -> B,
) -> Response<B> {
    let mut response = Response::new(make_body(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
