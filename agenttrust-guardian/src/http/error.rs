//! Every answer that is no success: a status, a code for programs and a sentence for people.

use std::borrow::Cow;

use agenttrust::model::ErrorBody;
use agenttrust::model::headers::DPOP_NONCE;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use crate::domain::{Error, ErrorKind};

/// Returns what `path` is answered that does not take this method.
pub(super) fn wrong_method(method: &Method, path: &str) -> Error {
    let message = format!("{path:?} does not take {method}; the Allow header lists what it takes");
    Error::new(ErrorKind::WrongMethod, message)
}

/// Returns what is answered where as many connections are busy as there may be.
#[cfg(feature = "cli")]
pub(super) fn no_connection() -> Error {
    Error::unavailable(
        "every connection that this Guardian has room for is busy; try again in a second",
    )
    .passing()
}

/// Returns the status of an error, and its code.
pub(super) fn status(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "AUTH_FAILED"),
        ErrorKind::TokenExpired => (StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED"),
        ErrorKind::WorkloadToken | ErrorKind::Proof | ErrorKind::NonceNeeded => {
            (StatusCode::UNAUTHORIZED, "AUTH_FAILED")
        }
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "AUTH_DENIED"),
        ErrorKind::AgentRevoked => (StatusCode::FORBIDDEN, "AGENT_REVOKED"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        ErrorKind::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
        ErrorKind::TooSlow => (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "CONFLICT"),
        ErrorKind::Held => (StatusCode::CONFLICT, "ELEVATION_REQUIRED"),
        #[cfg(feature = "cli")]
        ErrorKind::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "MISDIRECTED_REQUEST"),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
        ErrorKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}

/// The refusal that an answer tells, kept beside it for a layer that looks at answers on their way
/// out.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = status(self.kind());
        let retry = self.is_passing().then_some([(RETRY_AFTER, "1")]);
        let challenge = self.kind().challenge().map(|challenge| [(WWW_AUTHENTICATE, challenge)]);
        let (message, details) = self.into_parts();
        let nonce = details.as_ref().and_then(|details| details.get("nonce")?.as_str());
        let nonce =
            nonce.filter(|_| challenge.is_some()).map(|nonce| [(DPOP_NONCE, nonce.to_owned())]);
        let refusal = Refusal { code, message: message.clone() };
        let body = ErrorBody { error: code.to_owned(), message: message.into_owned(), details };
        (status, retry, challenge, nonce, Extension(refusal), Json(body)).into_response()
    }
}
