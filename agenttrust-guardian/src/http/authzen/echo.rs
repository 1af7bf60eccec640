//! What AuthZEN asks of every answer, of a refusal too: the id of the request, given back, and how to come with a key.

use axum::extract::Request;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// The header.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Returns the middleware.
pub(in crate::http) async fn echo(request: Request, next: Next) -> Response {
    // A program may have nested the router: then its prefix stands in front.
    let is_asked = request.uri().path().contains("/access/v1/");
    let id = request.headers().get(REQUEST_ID).filter(|_| is_asked).cloned();
    let mut response = next.run(request).await;
    let is_refused = is_asked && response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if is_refused && !headers.contains_key(WWW_AUTHENTICATE) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(id) = id {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    response
}
