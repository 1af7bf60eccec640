//! Every answer that is no success: a status, a code for programs and a sentence for people.

use std::borrow::Cow;
use std::time::Duration;

use agenttrust::model::ErrorBody;
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::GuardianError;
use crate::limits::{Full, Kind, Whose};
use crate::policy::PolicyError;
use crate::store::StoreError;
use agenttrust::model::CapabilityError;

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Option<Value>,
    /// Whether the same request may well be answered in a moment.
    passing: bool,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: None, passing: false }
    }

    fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// 400: `field` has this `problem`; the sentence is both, one after the other.
    pub(crate) fn invalid(field: &str, problem: impl AsRef<str>) -> Self {
        let message = format!("{field} {}", problem.as_ref());
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
            .with(json!({ "field": field }))
    }

    /// 400, or 409 where two names of the list stand in each other's way.
    pub(crate) fn capability(field: &str, error: &CapabilityError) -> Self {
        let details = json!({ "field": field, "name": error.name() });
        let message = format!("{field}: {error}");
        if error.is_conflict() {
            Self::new(StatusCode::CONFLICT, "CONFLICT", message).with(details)
        } else {
            Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message).with(details)
        }
    }

    /// 400: policies that are not usable; the sentence begins with file, line and column.
    pub(crate) fn policies(error: &PolicyError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", error.to_string())
            .with(super::policies::place(error))
    }

    /// 409: the policies of the folder are not usable.
    pub(crate) fn policies_stay(error: &PolicyError) -> Self {
        Self::conflict(format!(
            "the policies stay as they are, because the folder's are not usable: {error}"
        ))
        .with(super::policies::place(error))
    }

    /// 401: no key, or none that works.
    pub(crate) fn unauthenticated(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AUTH_FAILED", message)
    }

    /// 401: a token that was good once.
    pub(crate) fn token_expired() -> Self {
        let message = "the token has expired; have another one issued";
        Self::new(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED", message)
    }

    /// 403.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AUTH_DENIED", message)
    }

    /// 403: a key that is bound to other agents.
    pub(crate) fn not_bound(agent_id: &str) -> Self {
        Self::forbidden(format!(
            "this key is not bound to agent {agent_id:?}; use that agent's own"
        ))
    }

    /// 403: the agent is gone for good.
    pub(crate) fn agent_revoked(agent_id: &str) -> Self {
        let message =
            format!("agent {agent_id:?} is revoked, which is for good; register another one");
        Self::new(StatusCode::FORBIDDEN, "AGENT_REVOKED", message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// 404: there is no such `thing` here.
    pub(crate) fn unknown(thing: &str, id: &str) -> Self {
        Self::not_found(format!("there is no {thing} {id:?}"))
    }

    /// 405.
    pub(crate) fn wrong_method(method: &Method, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            format!("{path:?} does not take {method}; the Allow header lists what it takes"),
        )
    }

    /// 408: so much of the body arrived in this time.
    pub(crate) fn too_slow(arrived: usize, within: Duration) -> Self {
        let message = format!(
            "the body is too slow: {arrived} bytes of it arrived within {} seconds; send it again, as one",
            within.as_secs()
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message)
    }

    /// 409.
    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message =
            format!("the body is larger than {limit} bytes, which is the most; send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    /// 429: something that is bounded is full.
    pub(crate) fn too_many(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY", message)
    }

    /// 503: the database or the audit log is away.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    }

    /// 503: what it needs is busy, and may well not be in a second.
    pub(crate) fn busy(message: &'static str) -> Self {
        Self { passing: true, ..Self::unavailable(message) }
    }

    /// 503: as many connections are busy as there may be.
    #[cfg(feature = "cli")]
    pub(crate) fn no_connection() -> Self {
        let message =
            "every connection that this Guardian has room for is busy; try again in a second";
        Self { passing: true, ..Self::unavailable(message) }
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<Full> for ApiError {
    /// 429 where a key or its organisation holds too much, 503 where all together do.
    fn from(full: Full) -> Self {
        let Full { kind, whose, most } = full;
        let what = match kind {
            Kind::Requests => "requests under way",
            Kind::TakingBack => "requests under way that take something back",
            Kind::Bytes | Kind::BytesTakingBack => "bytes of request bodies on the way",
            Kind::Waiting => "requests that wait for an approval",
            Kind::Streams => "streams of revocations open",
        };
        let refused = match whose {
            Whose::Key if kind == Kind::Streams => Self::too_many(format!(
                "this key has {most} {what}, which is the most; close one, or give each server a key of \
                 its own"
            )),
            Whose::Key => Self::too_many(format!(
                "this key has {most} {what}, which is the most, or would with this one; have fewer at \
                 once, and try again in a second"
            )),
            Whose::Organisation => Self::too_many(format!(
                "this organisation has {most} {what}, and the rest is kept for others; have fewer at \
                 once, and try again in a second"
            )),
            Whose::All => Self::unavailable(format!(
                "there are {most} {what}, which is the most, or would be with this one; try again in a \
                 second"
            )),
        };
        Self { passing: true, ..refused }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // What a database says may tell of its insides, so it goes to the log and not to the caller.
        tracing::error!(%error, "a request could not be served");
        Self::unavailable("the Guardian's database does not answer; try again later")
    }
}

impl From<GuardianError> for ApiError {
    fn from(error: GuardianError) -> Self {
        match error {
            GuardianError::Invalid(message) => {
                Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
            }
            other => {
                tracing::error!(error = %other, "a request could not be served");
                Self::unavailable("the Guardian cannot do this at present; try again later")
            }
        }
    }
}

impl From<getrandom::Error> for ApiError {
    fn from(error: getrandom::Error) -> Self {
        tracing::error!(%error, "the operating system gave no random bits");
        Self::unavailable("the Guardian has no random bits at present; try again later")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.code.to_owned(),
            message: self.message.into_owned(),
            details: self.details,
        };
        let retry = self.passing.then_some([(RETRY_AFTER, "1")]);
        (self.status, retry, Json(body)).into_response()
    }
}
