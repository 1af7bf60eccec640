//! HTTP: what a request does, what an approval of it is bound to, and how it is told no.
//!
//! [`GuardLayer::http`] is the ready preset: [`HttpExtract`] reads the action, [`HttpDeny`] answers
//! denials with an RFC 9457 problem. It fits any service over `http::Request<B>` and
//! `http::Response<B2>`.
//!
//! # The action
//!
//! | of the request | becomes |
//! |---|---|
//! | `GET`, `HEAD`, `OPTIONS` | effect `read` |
//! | `DELETE` | effect `destructive` |
//! | any other method | effect `mutating` |
//! | method and route template | the tool, `http/DELETE/files/{name}` |
//! | no template to be had | the tool `http/DELETE/(unmatched)`, guarded like any other |
//!
//! The template is axum's `MatchedPath` (feature `axum`, on by default; without it, every tool is `(unmatched)`,
//! which is logged once), else
//! the one given with [`template`](HttpExtract::template). The raw path is never part
//! of a tool's name: it holds identifiers, and it would make every resource a tool of its own.
//!
//! # Where to put it on an axum router
//!
//! As the **last** call, with `Router::layer`: it runs after routing, so it sees the template, and it
//! covers every route so far and the fallback. What is added to the router afterwards is outside of
//! it; `route_layer` leaves the fallback outside as well.
//!
//! # What an approval is bound to
//!
//! The action's input is the method, the authority and the `Host` header, the path and the query,
//! byte for byte, and with axum the path before nesting and the path parameters as well. The guard
//! keeps that input in the process and sends a digest of it, so an approval for `DELETE /files/a`
//! never serves `DELETE /files/b`.
//!
//! It does **not** cover the body, which this layer does not read, nor any header but `Host`. The check says so
//! (`AgentTrust-Binds: request`): the approver is shown `bound_to: request`, and the approval serves once. Where an
//! approval must cover the body, bind it, or guard the function that has read it (`#[agenttrust::guarded]`) instead of
//! the request. With both, a call takes an approval of each. If the layer is built with
//! [`covers_inner`](GuardLayer::covers_inner), it takes only the layer's: bind the body there.
//!
//! # Bodies
//!
//! With [`bind_body`](GuardLayer::bind_body) the body is read first, and the approval is bound to the whole
//! request (`bound_to: input`):
//!
//! ```json
//! {
//!   "request": { "method": "DELETE", "host": "pay.example", "path": "/payments/7" },
//!   "headers": { "content-type": "text/plain" },
//!   "body": { "text": "10 EUR" }
//! }
//! ```
//!
//! - The body byte for byte. One in UTF-8 is `text`, so that an approver who is shown the input can read it. That goes
//!   for JSON too, with spelling and order as they came, since another reader may make something else of them. Any
//!   other body is `base64`. Where either would be longer than 48 KiB, which is more than an approver is shown, the
//!   body is its `sha256` and `length`.
//! - The headers that say what those bytes are: `Content-Type`, `Content-Encoding`, `Content-Language`,
//!   `Content-Location` and `Content-Range`. The same bytes as another type are another request, and so are
//!   they compressed or not; put a layer that decompresses outside of the guard.
//! - Trailers, where there are any. No other header: those that change with every try (dates, traces, a
//!   signature) would make each try another request.
//!
//! The inner service gets the bytes and the trailers that were digested. Of the head, `Expect` is gone, since
//! the body came, and `Transfer-Encoding` makes place for a true `Content-Length`, unless trailers need the
//! chunks. A `CONNECT` is not read and stays `request`; so is a request with `Upgrade` said to be, since what
//! is said on the connection afterwards is in no body.
//!
//! What is refused: a body over the limit (413, `BODY_TOO_LONG`), one that does not come in time (408,
//! `BODY_TIMEOUT`), and one that breaks off (400, `REQUEST_REFUSED`). A body that is too long is read away as
//! [`HttpDeny`] says; over HTTP/1 the answer says `Connection: close` to a client that waits to be asked with
//! `Expect: 100-continue`.
//!
//! The method is the one this layer sees: a middleware that overrides methods belongs outside it.
//!
//! # The outcome
//!
//! With [`HttpDeny`], a status of 400 or above is a failure, of a type such as `http 404`. An error of the service or
//! of the body is a failure of its own type. Everything else is a success. Reported when the body ends, fails or is
//! dropped before its end (`Cancelled`), with the time to that point: see [`FollowBody`]. Answers to `HEAD` and
//! `CONNECT`, and those that switch protocols (`101`), are reported at the head: what becomes of the connection
//! afterwards, a WebSocket say, is not followed.
//!
//! A way to deny of your own (`deny_with`) goes by the `Result` alone, at the head: it knows neither
//! statuses nor bodies, and leaves the handler no permit to speak through.
//!
//! # For the handler
//!
//! The request's extensions hold the [`PermitHandle`](agenttrust::PermitHandle) of the call, with
//! which the handler can say how it went; with axum, `agenttrust_tower::axum::Permit` extracts it.
//!
//! # Whose call it is
//!
//! An [`AuthenticateLayer`](crate::AuthenticateLayer) outside of the guard leaves an
//! [`AgentIdentity`](agenttrust::AgentIdentity) in the extensions. Then the call is checked as that agent in its
//! session, and so are guarded functions inside. Else it is checked as the guard's own agent. A guard made by
//! [`AgentTrustGuard::gateway`] has none, and makes no call for which no agent is known. An extractor of your own names
//! the agent with [`principal_in`](agenttrust::Action::principal_in).
//!
//! A preflight of CORS that came by an `AuthenticateLayer` is no agent's call. It is refused here (400) rather than
//! checked as the guard's own call. Answer preflights outside of the guard, or leave them out with
//! [`filter`](GuardLayer::filter) and [`is_preflight`]. See [`AuthenticateLayer`](crate::AuthenticateLayer#browsers).

pub(crate) mod bind;
pub(crate) mod body;
mod deny;
mod extract;
pub(crate) mod finish;
#[cfg(feature = "axum")]
mod matched;
pub(crate) mod preflight;
pub(crate) mod resource;
mod template;

use agenttrust::AgentTrustGuard;

pub use self::bind::BindBody;
pub use self::body::{FollowBody, Following, ReportingBody};
pub use self::deny::{HttpDeny, MakeBody, StringBody};
pub use self::extract::HttpExtract;
pub use self::finish::HttpContext;
pub use self::preflight::is_preflight;
pub use self::template::{NoTemplate, RouteTemplate};
use crate::GuardLayer;
pub use crate::intake::{Buffered, FromBuffered};

/// Returns the path that a request was made for, of which nesting has left a part on it only.
pub(crate) fn path_as_asked<B>(request: &http::Request<B>) -> &str {
    #[cfg(feature = "axum")]
    if let Some(path) = matched::original_path(request) {
        return path;
    }
    request.uri().path()
}

impl GuardLayer<HttpExtract, HttpDeny> {
    /// Creates a layer for HTTP services, with the action and the denials of [`http`](crate::http).
    ///
    /// ```
    /// use agenttrust::AgentTrustGuard;
    /// use agenttrust_tower::GuardLayer;
    /// use axum::{Router, routing::delete};
    ///
    /// # fn app(guard: AgentTrustGuard) -> Router {
    /// Router::new()
    ///     .route("/files/{name}", delete(|| async { "deleted" }))
    ///     .layer(GuardLayer::http(guard))
    /// # }
    /// ```
    pub fn http(guard: AgentTrustGuard) -> Self {
        GuardLayer::new(guard).extract(HttpExtract::new()).deny_with(HttpDeny::new())
    }
}

impl<T, D, I> GuardLayer<HttpExtract<T>, D, I> {
    /// Returns the route template where no router left one: [`HttpExtract::template`].
    pub fn template<T2>(self, template: T2) -> GuardLayer<HttpExtract<T2>, D, I> {
        self.map_extract(|extract| extract.template(template))
    }
}
