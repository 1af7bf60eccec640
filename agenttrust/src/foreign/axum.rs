//! axum handlers: a denial is an RFC 9457 problem, the one that `agenttrust-tower` answers with too, and of what axum
//! hands to a handler the input is told from the rest.

use axum::body::Body;
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::DenialResponse;
use crate::capture::{Extractor, HandedIn};
use crate::error::AgentTrustError;
use crate::guard::FromDenial;

/// Handlers that return a `Response`, alone or as the error of a `Result`, can carry a denial.
///
/// An RFC 9457 problem (`application/problem+json`) whose `code` is for programs:
///
/// | what happened | status | `code`, and what comes with it |
/// |---|---|---|
/// | denied | 403 | `ACTION_DENIED`, `check_id` |
/// | an approval is needed | 403 | `ELEVATION_REQUIRED`, `approval_id` |
/// | the approval expired undecided | 403 | `APPROVAL_EXPIRED`, `approval_id` |
/// | the agent was revoked | 403 | `AGENT_REVOKED` |
/// | the Guardian did not answer, or is overloaded | 503 | `GUARDIAN_UNAVAILABLE`, a `Retry-After` header |
/// | the Guardian turned this server away, or was asked something wrong | 500 | `GUARD_MISCONFIGURED` |
///
/// What only an operator may know is logged and not said.
impl From<AgentTrustError> for Response {
    fn from(denial: AgentTrustError) -> Self {
        DenialResponse::from_error(denial).into_response(DenialResponse::RETRY_AFTER, Body::from)
    }
}

/// The problem that the denial is, as `From<AgentTrustError>` makes it.
impl FromDenial for Response {
    fn from_denial(denial: AgentTrustError) -> Self {
        denial.into()
    }
}

/// Handlers may return `Result<Json<T>, AgentTrustError>`: the error becomes the same RFC 9457 problem as
/// `Response::from`.
impl IntoResponse for AgentTrustError {
    fn into_response(self) -> Response {
        self.into()
    }
}

/// The state that the server was built with.
impl<S> HandedIn for State<S> {}

/// A value that a layer outside left in the request, such as the caller's identity.
impl<T> HandedIn for Extension<T> {}

/// The connection, which is another one with each call.
impl<T> HandedIn for ConnectInfo<T> {}

impl<T> Extractor for Path<T> {}

impl<T> Extractor for Query<T> {}

impl<T> Extractor for Form<T> {}

impl<T> Extractor for Json<T> {}
