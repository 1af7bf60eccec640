//! Errors and results of JSON-RPC 2.0, as answers over HTTP.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
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
    /// The body was not read to its end, so nothing can follow it on a connection of HTTP/1.
    pub(super) closes: bool,
}

impl Rejection {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::BAD_REQUEST, message.into());
        Self { status, code, message, id: Value::Null, closes: false }
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
        let Self { status, code, message, id, closes } = self;
        let error = json!({ "code": code, "message": message });
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        let mut response = answer(status, body, make_body);
        let headers = response.headers_mut();
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
        }
        response
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
