//! Everything that is answered by the proxy itself and is no success: a status, a code of JSON-RPC, a sentence.

use std::borrow::Cow;

use agenttrust::model::headers::DPOP_NONCE;
use agenttrust_tower::internal::mcp::{INTERNAL_ERROR, INVALID_REQUEST, Rejection};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::domain::{Error, ErrorKind};
pub(super) use crate::wire::json as json_answer;

/// The reason why the server behind does not answer a message.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(Box<Said>);

/// The content of a refusal. Boxed, because nearly everything here hands it on.
#[derive(Clone, Debug)]
struct Said {
    status: StatusCode,
    code: i32,
    message: Cow<'static, str>,
    data: Option<Value>,
    /// The id of the request, where it could be read; else null, as JSON-RPC has it.
    id: Value,
    /// The value of `WWW-Authenticate`.
    challenge: Option<String>,
    /// Whether the same request may well be answered in a moment.
    passing: bool,
    /// The body was not read to its end, so nothing can follow it on a connection of HTTP/1.
    closes: bool,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        code: i32,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (message, id) = (message.into(), Value::Null);
        Self(Box::new(Said {
            status,
            code,
            message,
            data: None,
            id,
            challenge: None,
            passing: false,
            closes: false,
        }))
    }

    /// Returns the error for a request that is not as it must be.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message)
    }

    /// Returns the error for a server behind that does not keep to the protocol, or is not there.
    pub(super) fn upstream(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, INTERNAL_ERROR, message)
    }

    /// Returns the error for a session that is not known, not the caller's, or over: MCP clients open another one then.
    pub(super) fn no_session() -> Self {
        let message = "there is no such session; open another one with initialize";
        Self::new(StatusCode::NOT_FOUND, -32001, message)
    }

    /// Returns the error for a method of HTTP that the proxy does not have.
    pub(super) fn wrong_method(message: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, message)
    }

    pub(super) fn data(mut self, data: Value) -> Self {
        self.0.data = Some(data);
        self
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Returns the same, to the request of this id.
    pub(super) fn id(mut self, id: Option<&Value>) -> Self {
        if let Some(id) = id {
            self.0.id.clone_from(id);
        }
        self
    }

    /// Returns the same, with what a client of OAuth goes by.
    pub(crate) fn challenge(mut self, challenge: String) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    pub(super) fn http_status(&self) -> StatusCode {
        self.0.status
    }

    pub(super) fn code(&self) -> i32 {
        self.0.code
    }

    /// Returns a member of what a program may want to read, as text.
    pub(super) fn datum(&self, member: &str) -> Option<&str> {
        self.0.data.as_ref()?.get(member)?.as_str()
    }

    /// Returns the message of JSON-RPC.
    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.0.code, "message": self.0.message });
        if let (Some(data), Some(error)) = (&self.0.data, error.as_object_mut()) {
            error.insert("data".to_owned(), data.clone());
        }
        json!({ "jsonrpc": "2.0", "id": self.0.id, "error": error })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated
            | ErrorKind::TokenExpired
            | ErrorKind::WorkloadToken
            | ErrorKind::Proof
            | ErrorKind::NonceNeeded => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden | ErrorKind::AgentRevoked => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::TooSlow => StatusCode::REQUEST_TIMEOUT,
            ErrorKind::Conflict | ErrorKind::Held => StatusCode::CONFLICT,
            #[cfg(feature = "cli")]
            ErrorKind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let code = if status.is_server_error() { INTERNAL_ERROR } else { INVALID_REQUEST };
        let passing = error.is_passing();
        let challenge = error.kind().challenge().map(str::to_owned);
        let (message, data) = error.into_parts();
        let mut refusal = Self::new(status, code, message);
        (refusal.0.data, refusal.0.passing) = (data, passing);
        refusal.0.challenge = challenge;
        refusal
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let Rejection { status, code, message, id, closes } = rejection;
        let mut refusal = Self::new(status, code, message);
        (refusal.0.id, refusal.0.closes) = (id, closes);
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let nonce = self.datum("nonce").filter(|_| self.0.status == StatusCode::UNAUTHORIZED);
        let nonce = nonce.and_then(|nonce| HeaderValue::from_str(nonce).ok());
        let mut response = json_answer(self.0.status, self.to_json().to_string());
        let headers = response.headers_mut();
        if let Some(challenge) = self.0.challenge.and_then(|text| HeaderValue::try_from(text).ok())
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = nonce {
            headers.insert(DPOP_NONCE, nonce);
        }
        if self.0.passing {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.0.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if self.0.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
