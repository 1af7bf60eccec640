//! Where a route's template comes from when no axum router left it in the request.

use std::borrow::Cow;

use http::Request;

/// The route template of a request, such as `/files/{name}`: what its tool is named after.
///
/// Text is one, for a service with one route; so is any closure
/// `Fn(&http::Request<B>) -> Option<impl Into<Cow<'static, str>>>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give a route template for a request with the body `{B}`",
    note = "give text such as \"/files/{{name}}\", or a closure `|request: &http::Request<{B}>| -> Option<&'static str>`"
)]
pub trait RouteTemplate<B> {
    /// Returns the template, or `None` where no route matches: the call is guarded as
    /// `(unmatched)`.
    fn route_template(&self, request: &Request<B>) -> Option<Cow<'_, str>>;
}

/// No template: requests that no axum router matched are guarded as `(unmatched)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTemplate;

/// The guard of the warning that no route is known, which is logged once.
#[cfg(not(feature = "axum"))]
static SAID: std::sync::Once = std::sync::Once::new();

impl<B> RouteTemplate<B> for NoTemplate {
    fn route_template(&self, _request: &Request<B>) -> Option<Cow<'_, str>> {
        #[cfg(not(feature = "axum"))]
        SAID.call_once(|| {
            tracing::warn!(
                "no route template is known, so the tool of every request is `http/METHOD/(unmatched)`; \
                 behind axum's router, enable the feature `axum` of `agenttrust-tower`, else give the \
                 template with `HttpExtract::template`"
            );
        });
        None
    }
}

impl<B> RouteTemplate<B> for &'static str {
    fn route_template(&self, _request: &Request<B>) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self))
    }
}

impl<B> RouteTemplate<B> for String {
    fn route_template(&self, _request: &Request<B>) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self))
    }
}

impl<F, B, T> RouteTemplate<B> for F
where
    F: Fn(&Request<B>) -> Option<T>,
    T: Into<Cow<'static, str>>,
{
    fn route_template(&self, request: &Request<B>) -> Option<Cow<'_, str>> {
        self(request).map(Into::into)
    }
}
