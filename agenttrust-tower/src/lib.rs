#![doc = include_str!("../README.md")]
//!
//! # What a call comes to
//!
//! ```
//! use agenttrust::{AgentTrustClient, AgentTrustGuard};
//! use agenttrust_tower::GuardLayer;
//! use axum::{Router, body::Body, extract::Path, routing::get};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # // A Guardian that allows reads and holds everything else.
//! # let guardian = tower::service_fn(|request: Request<bytes::Bytes>| async move {
//! #     let check = String::from_utf8_lossy(request.body());
//! #     let answer = if check.contains(r#""read""#) {
//! #         r#"{"allowed":true,"check_id":"chk_1"}"#
//! #     } else {
//! #         r#"{"allowed":false,"elevation_required":true,"approval_id":"apr_1","reason":"held"}"#
//! #     };
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::from(answer)))
//! # });
//! let client = AgentTrustClient::builder()
//!     .base_url("https://guardian.example")
//!     .api_key("sk_live_of_this_server")
//! #   .service(guardian)
//!     .build()?;
//! let guard = AgentTrustGuard::builder(client, "agt_files").build();
//!
//! let app: Router = Router::new()
//!     .route(
//!         "/files/{name}",
//!         get(|Path(name): Path<String>| async move { format!("the text of {name}") })
//!             .delete(|Path(name): Path<String>| async move { format!("{name} is gone") }),
//!     )
//!     .layer(GuardLayer::http(guard));
//!
//! // Checked as the tool `http/GET/files/{name}`, a read: allowed.
//! let read = Request::get("/files/plan.txt").body(Body::empty())?;
//! assert_eq!(app.clone().oneshot(read).await?.status(), StatusCode::OK);
//!
//! // Destructive: held for an approval of this very request. The handler did not run.
//! let delete = Request::delete("/files/plan.txt").body(Body::empty())?;
//! let held = app.oneshot(delete).await?;
//! assert_eq!(held.status(), StatusCode::FORBIDDEN);
//! assert_eq!(held.headers()["content-type"], "application/problem+json");
//! # Ok(())
//! # }
//! ```
//!
//! The layer decides nothing. It turns a request into an [`Action`](agenttrust::Action)
//! ([`ExtractAction`]), calls [`authorize`](agenttrust::AgentTrustGuard::authorize), runs the inner
//! service while it holds the [`Permit`](agenttrust::Permit), and hands the outcome to it. A denial
//! goes back in the protocol's own words ([`DenyWith`]). One service does that for every protocol; what
//! differs is what a request is and how it is told no.
//!
//! An approval of an HTTP request or a gRPC call is bound to its head, and to its body or message where the
//! layer reads that first: [`bind_body`](GuardLayer::bind_body), `bind_message`. The approver is told which.
//!
//! # A layer and an attribute on one call
//!
//! A `#[guarded]` function behind a layer asks for itself, so that one `DELETE` takes two approvals, and each try
//! takes another one for the request. Give both one tool name, and let the layer cover the function:
//! [`covers_inner`](GuardLayer::covers_inner). Then one approval, bound to what the layer reads, serves both.
//!
//! ```
//! use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};
//! use agenttrust_tower::GuardLayer;
//! use axum::{Router, body::Body, extract::Path, routing::delete};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//!
//! #[guarded(effect = "destructive")]
//! async fn file_delete(Path(name): Path<String>) -> Result<String, AgentTrustError> {
//!     Ok(format!("{name} is gone"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::sync::atomic::{AtomicUsize, Ordering};
//! # static CHECKS: AtomicUsize = AtomicUsize::new(0);
//! # // A Guardian that has approved everything, each approval for one check.
//! # let guardian = tower::service_fn(|request: Request<bytes::Bytes>| async move {
//! #     let answer = if request.uri().path().ends_with("/check") {
//! #         CHECKS.fetch_add(1, Ordering::SeqCst);
//! #         r#"{"allowed":true,"check_id":"chk_1","approval_id":"apr_1"}"#
//! #     } else {
//! #         r#"{"accepted":true,"events_processed":1}"#
//! #     };
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::from(answer)))
//! # });
//! # let client = AgentTrustClient::builder()
//! #     .base_url("https://guardian.example")
//! #     .service(guardian)
//! #     .build()?;
//! # let guard = AgentTrustGuard::builder(client, "agt_files").build();
//! let layer = GuardLayer::http(guard)
//!     .tool("file_delete")
//!     .bind_body(64 * 1024)
//!     .covers_inner(true);
//! let app: Router = Router::new().route("/files/{name}", delete(file_delete)).layer(layer);
//!
//! let request = Request::delete("/files/plan.txt").body(Body::empty())?;
//! assert_eq!(app.oneshot(request).await?.status(), StatusCode::OK);
//! # assert_eq!(CHECKS.load(Ordering::SeqCst), 1, "both asked");
//! # Ok(())
//! # }
//! ```
//!
//! Where it was left out, the hold of the function says so, and names the approval that the request has used.
//!
//! # Whose calls
//!
//! Where many agents come to one server, an [`AuthenticateLayer`] outside of the guard makes each known
//! by its token, and its calls are checked as its own.
//!
//! # Readiness, limits and time-outs
//!
//! This holds for every layer of this crate.
//!
//! - `poll_ready` is the inner service's and never carries a denial.
//! - The service that was driven ready goes with the call and is the one that is called.
//! - The answer may take longer than 200 ms, because an approval is waited for
//!   ([`OnElevation::Wait`](agenttrust::OnElevation)) or the Guardian is slow. Then that readiness is given back, so a
//!   concurrency limit *inside* the guard serves others meanwhile. Once permitted, a clone is driven ready. The price:
//!   calls that wait are not counted against the inner service's backpressure.
//! - A limit or a time-out *outside* the guard includes the check and the wait.
//! - A retry *outside* asks again with each try; one *inside* makes its tries under one permit.
//!
//! # Cancellation
//!
//! See [`ResponseFuture`]: dropping it is safe at any time, and a permitted call that is dropped
//! leaves exactly one report, `Cancelled`. An answer over HTTP whose body goes on takes the permit along,
//! and is reported when the body ends, fails or is dropped: see [`http::FollowBody`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "http")]
mod authenticate;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "http")]
mod bind;
mod builder_ext;
mod call_state;
mod deny;
mod extract;
mod filter;
mod future;
#[cfg(feature = "tonic")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
mod inner;
#[cfg(feature = "http")]
mod intake;
#[cfg(feature = "http")]
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "http")]
mod judge;
mod layer;
#[cfg(feature = "mcp-http")]
pub mod mcp;
#[cfg(any(feature = "mcp-http", feature = "rmcp", feature = "tower-mcp"))]
mod mcp_call;
mod pending;
mod refine;
#[cfg(feature = "rmcp")]
pub mod rmcp;
mod service;
#[cfg(feature = "tower-mcp")]
pub mod tower_mcp;
mod unread;

#[cfg(feature = "http")]
pub use self::authenticate::{Authenticate, AuthenticateFuture, AuthenticateLayer};
pub use self::builder_ext::ServiceBuilderExt;
pub use self::deny::{Denial, DenyAsError, DenyWith, Left};
pub use self::extract::{ExtractAction, Extracted, NoExtractor};
pub use self::filter::Filter;
pub use self::future::ResponseFuture;
pub use self::layer::GuardLayer;
#[cfg(feature = "mcp-http")]
pub use self::mcp::McpHttpLayer;
pub use self::service::{AsItComes, Guarded};
pub use self::unread::{Unread, UnreadReason};
