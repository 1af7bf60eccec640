//! HTTP requests, by method, route and status.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State as Given};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::state::State;

/// Requests that were answered.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Family<Labels, Counter>);

/// As many as there are routes, and ways to answer them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    /// The template, such as `/mcp/approvals/{id}`; `none` where there is no such route.
    route: String,
    status: u16,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let help = "HTTP requests answered, by method, route and status";
        registry.register("http_requests", help, requests.clone());
        Self(requests)
    }
}

/// The middleware that counts.
pub(crate) async fn count(
    Given(state): Given<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::debug!(method, route, status, "answered");
    state.metrics.requests.0.get_or_create(&Labels { method, route, status }).inc();
    response
}

/// A caller can make up methods, too.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "other",
    }
}
