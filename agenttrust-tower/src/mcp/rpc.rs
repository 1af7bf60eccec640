//! Errors and results of JSON-RPC 2.0, as answers over HTTP.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// The text is no JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The code of a message that is not a request, or not one that is accepted.
pub const INVALID_REQUEST: i32 = -32600;
/// The code of parameters that do not fit the method.
pub const INVALID_PARAMS: i32 = -32602;
/// The fault is on this side.
pub const INTERNAL_ERROR: i32 = -32603;
/// MCP 2026-07-28: a header contradicts the body.
pub const HEADER_MISMATCH: i32 = -32020;

/// The reason why a message is not handed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The status over HTTP.
    pub status: StatusCode,
    /// The code of JSON-RPC.
    pub code: i32,
    /// The sentence about what happened, and what to do.
    pub message: String,
    /// The id of the request, where it could be read; else null, as JSON-RPC has it.
    pub id: Value,
    /// The body was not read to its end, so nothing can follow it on a connection of HTTP/1.
    pub closes: bool,
}

impl Rejection {
    /// Makes one with a status of 400 and no id.
    #[must_use]
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::BAD_REQUEST, message.into());
        Self { status, code, message, id: Value::Null, closes: false }
    }

    /// Sets the status over HTTP.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets the id of the request that is answered.
    #[must_use]
    pub fn id(mut self, id: Value) -> Self {
        self.id = id;
        self
    }

    /// Returns it as a message.
    #[must_use]
    pub fn into_message(self) -> Value {
        let error = json!({ "code": self.code, "message": self.message });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error })
    }

    /// Returns it as an answer over HTTP.
    #[must_use]
    pub fn into_response<B>(self, make_body: impl FnOnce(String) -> B) -> Response<B> {
        let (status, closes) = (self.status, self.closes);
        let mut response = answer(status, self.into_message(), make_body);
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

/// Returns a message as the body of an answer.
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
