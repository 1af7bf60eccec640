//! What a browser asks before it calls another origin.

use agenttrust::AgentIdentity;
use agenttrust::model::headers::DPOP;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderName, ORIGIN};
use http::{HeaderMap, Method, Request};
use http_body::Body;

/// Marks a request that was let in as a preflight: no agent is known for it, and none has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preflight;

impl Preflight {
    /// Lets a preflight in, as a request of no agent.
    pub(crate) fn admit<B>(request: &mut Request<B>) {
        request.extensions_mut().remove::<AgentIdentity>();
        request.extensions_mut().insert(Self);
    }

    /// Returns whether a request was let in as one.
    pub(crate) fn was<B>(request: &Request<B>) -> bool {
        request.extensions().get::<Self>().is_some()
    }
}

/// Returns whether a request is a preflight of CORS, which a browser sends before a page calls another origin:
/// `OPTIONS` with one `Origin` and one `Access-Control-Request-Method`, without credentials and without a body.
///
/// Anyone can send one. Let it reach nothing but what answers preflights.
///
/// ```
/// use agenttrust_tower::http::is_preflight;
/// use http::Request;
///
/// let request = Request::options("/files/plan.txt")
///     .header("origin", "https://page.example")
///     .header("access-control-request-method", "DELETE");
/// assert!(is_preflight(&request.body(String::new())?));
///
/// assert!(!is_preflight(&Request::options("/files/plan.txt").body(String::new())?));
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn is_preflight<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD].iter().all(|name| is_there_once(headers, name))
        && !headers.contains_key(AUTHORIZATION)
        && !headers.contains_key(DPOP)
        && request.body().is_end_stream()
}

fn is_there_once(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().count() == 1
}
