//! axum: what a handler may know of its permit, and say about its outcome.
//!
//! Routes are read by [`GuardLayer::http`](crate::GuardLayer::http) itself; see
//! [`http`](crate::http).

use std::convert::Infallible;
use std::ops::Deref;

use agenttrust::PermitHandle;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// The permit that a handler runs under, as an extractor.
///
/// The permit itself stays with the layer, which reports the call; through this the handler names the
/// check, and says what became of the call where the status does not:
///
/// ```
/// use agenttrust_tower::axum::Permit;
/// use axum::http::StatusCode;
///
/// async fn delete(permit: Permit) -> StatusCode {
///     println!("{} for {}, check {:?}", permit.tool(), permit.agent_id(), permit.check_id());
///     // Accepted, and yet nothing was deleted.
///     permit.set_failure("QueueFull");
///     StatusCode::ACCEPTED
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::delete(delete));
/// ```
///
/// As `Option<Permit>` it is `None` where no guard was asked, be it that the route is outside of the layer or that the
/// request passed.
#[derive(Clone, Debug)]
pub struct Permit(PermitHandle);

impl Deref for Permit {
    type Target = PermitHandle;

    fn deref(&self) -> &PermitHandle {
        &self.0
    }
}

/// No permit came with the request, so that its handler, which asks for one, does not run: the route is
/// not behind a guard, or the guard denies in a way of its own, which hands no permit on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no permit came with this request; add `GuardLayer::http` after the route, keep its way to deny, or \
     take an `Option<Permit>`"
)]
pub struct NoPermit;

impl IntoResponse for NoPermit {
    /// Returns a 500: it is the server's mistake. What to mend is logged, not said.
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "a handler was not called");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Permit {
    type Rejection = NoPermit;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoPermit> {
        parts.extensions.get::<PermitHandle>().cloned().map(Self).ok_or(NoPermit)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Permit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<PermitHandle>().cloned().map(Self))
    }
}
