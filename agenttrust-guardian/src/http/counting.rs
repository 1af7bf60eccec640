//! Counting requests, by method, route and status.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::App;

/// Returns the middleware that counts.
pub(super) async fn count(engine: App, request: Request, next: Next) -> Response {
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::debug!(method, route, status, "answered");
    engine.metrics.requests.count(method, route, status);
    response
}

/// Returns the method as a label. A caller can make up methods, and all of those are `other`.
pub(super) fn word(method: &Method) -> &'static str {
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
