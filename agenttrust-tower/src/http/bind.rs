//! Binding an approval to the whole of an HTTP request, its body included.

use agenttrust::{Action, Binds};
use http::Method;
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, HeaderName,
    UPGRADE,
};
use http::request::Parts;
use serde_json::{Map, Value};

use super::HttpExtract;
use crate::bind::{BindWhole, WITHIN};
use crate::intake::{Bounds, Whole, described, exact};
use crate::{Denial, GuardLayer};

/// The headers that say what the bytes of a body are: under another one of these, the same bytes say something else.
const OF_THE_BODY: [HeaderName; 5] =
    [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_RANGE];

/// Reads the bodies of HTTP requests, and binds approvals to them; made by
/// [`GuardLayer::bind_body`](crate::GuardLayer::bind_body).
#[derive(Clone, Copy, Debug)]
pub struct BindBody {
    bounds: Bounds,
}

impl<T, D> GuardLayer<HttpExtract<T>, D> {
    /// Binds approvals to the body as well, of up to `limit` bytes.
    ///
    /// The body is read before the Guardian is asked, at most `limit` bytes of it and for at most 30
    /// seconds ([`body_timeout`](GuardLayer::body_timeout)), and the inner service is given the very bytes
    /// that were digested, trailers included. See [what an approval is bound to](crate::http#bodies).
    ///
    /// A longer body is refused with 413, one that does not come in time with 408, and one that breaks off
    /// with 400; the Guardian is not asked, and the inner service is not called.
    ///
    /// Requests of methods that stream (uploads without an end, HTTP/2 tunnels) do not go through it; leave
    /// them out with [`filter`](GuardLayer::filter), and guard them by a layer of their own.
    ///
    /// # Memory
    ///
    /// While a request is read, asked about and waits for its approval it takes about twice its body, and some
    /// copies more of one that is short enough to be shown to an approver. `limit` bounds each request alone; how
    /// many there are at a time is for a limit outside of the layer.
    ///
    /// ```
    /// use agenttrust::AgentTrustGuard;
    /// use agenttrust_tower::GuardLayer;
    /// use axum::{Router, routing::delete};
    ///
    /// # fn app(guard: AgentTrustGuard) -> Router {
    /// Router::new()
    ///     .route("/payments/{id}", delete(|body: String| async move { format!("paid back {body}") }))
    ///     // An approval for the body "10 EUR" never serves "10000 EUR".
    ///     .layer(GuardLayer::http(guard).bind_body(64 * 1024))
    /// # }
    /// ```
    ///
    /// A function inside that is `#[guarded]` takes an approval of its own, unless the layer covers it:
    /// [`covers_inner`](GuardLayer::covers_inner).
    pub fn bind_body(self, limit: usize) -> GuardLayer<HttpExtract<T>, D, BindBody> {
        self.taking_in(BindBody { bounds: Bounds { limit, within: WITHIN } })
    }
}

impl BindWhole for BindBody {
    fn bounds(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// Returns whether the body is read. A `CONNECT` has none: what comes after it is the other end's talk in a tunnel,
    /// and has no end to wait for.
    fn reads(&self, head: &Parts) -> bool {
        head.method != Method::CONNECT
    }

    fn is_enough(&self, _read: &[u8]) -> bool {
        false
    }

    fn bind(&self, action: Action, head: &Parts, whole: &Whole) -> Result<Action, Denial> {
        let mut input = Map::new();
        input.insert("body".to_owned(), exact(&whole.bytes));
        add_described(&mut input, head, whole, &OF_THE_BODY)?;
        let action = action.enclosed(|request| {
            input.insert("request".to_owned(), request);
            Value::Object(input)
        });
        // What is said on the connection once it is something else is in no body.
        let goes_on = head.headers.contains_key(UPGRADE);
        Ok(if goes_on { action.binds(Binds::Request) } else { action })
    }
}

/// Adds the headers that say what a body is, and its trailers, where there are any.
pub(crate) fn add_described(
    input: &mut Map<String, Value>,
    head: &Parts,
    whole: &Whole,
    names: &[HeaderName],
) -> Result<(), Denial> {
    if let Some(headers) = described(&head.headers, names).map_err(Denial::Refused)? {
        input.insert("headers".to_owned(), headers);
    }
    if let Some(trailers) = &whole.trailers {
        let names: Vec<HeaderName> = trailers.keys().cloned().collect();
        if let Some(trailers) = described(trailers, &names).map_err(Denial::Refused)? {
            input.insert("trailers".to_owned(), trailers);
        }
    }
    Ok(())
}
