//! Denials and outcomes in HTTP: an RFC 9457 problem one way, a status the other.

use std::time::Duration;

use agenttrust::DenialResponse;
use agenttrust::Permit;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::Body;

use super::body::FollowBody;
use super::finish::{HttpContext, by_status, finish, hand_over};
use crate::intake::unread_body;
use crate::{Denial, DenyWith, Left};

/// Answers a denial with an RFC 9457 problem (`application/problem+json`), never with an error.
///
/// | what happened | status | `code`, and what comes with it |
/// |---|---|---|
/// | denied | 403 | `ACTION_DENIED`, `check_id` |
/// | an approval is needed | 403 | `ELEVATION_REQUIRED`, `approval_id` |
/// | the approval expired undecided | 403 | `APPROVAL_EXPIRED`, `approval_id` |
/// | the agent was revoked | 403 | `AGENT_REVOKED` |
/// | the request cannot be read | 400 | `REQUEST_REFUSED` |
/// | its body is to be bound, and longer than that may be | 413 | `BODY_TOO_LONG` |
/// | its body is to be bound, and did not come in time | 408 | `BODY_TIMEOUT` |
/// | the Guardian did not answer, or is overloaded | 503 | `GUARDIAN_UNAVAILABLE`, a `Retry-After` header |
/// | the Guardian turned this server away | 500 | `GUARD_MISCONFIGURED` |
///
/// A body that was not read for that is read away before the answer, up to 64 MiB of it within 5 seconds, and given up
/// where nothing comes for half a second: then the answer over HTTP/1 says `Connection: close`, and the rest is read
/// away behind it, up to 64 MiB within 30 seconds, so that a client which sends until it is done gets to read the
/// answer.
///
/// Never a 401: the caller's credentials were not looked at. When the Guardian does not accept the
/// guard's own key, that is the server's mistake and its log says what to mend; the caller sees a
/// 500.
///
/// The response's body is made from the JSON text: by `From<String>`, which axum's `Body`,
/// `Full<Bytes>` and `String` have, or with [`body_with`](Self::body_with).
#[derive(Debug, Clone)]
pub struct HttpDeny<M = StringBody> {
    body: M,
    retry_after: Duration,
}

impl HttpDeny {
    /// Returns bodies by `From<String>`, and 5 seconds of `Retry-After`.
    pub fn new() -> Self {
        Self { body: StringBody, retry_after: DenialResponse::RETRY_AFTER }
    }
}

impl Default for HttpDeny {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> HttpDeny<M> {
    /// Makes the body with `make`, for body types that are not `From<String>`.
    ///
    /// ```
    /// use agenttrust_tower::http::HttpDeny;
    /// use bytes::Bytes;
    /// use http_body_util::{BodyExt, Full, combinators::BoxBody};
    ///
    /// let deny = HttpDeny::new().body_with(|json: String| -> BoxBody<Bytes, std::io::Error> {
    ///     Full::from(json).map_err(|never| match never {}).boxed()
    /// });
    /// # let _ = deny;
    /// ```
    pub fn body_with<F>(self, make: F) -> HttpDeny<F> {
        HttpDeny { body: make, retry_after: self.retry_after }
    }

    /// Sets how long callers are asked to stay away when the Guardian did not answer, in whole seconds.
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = retry_after;
        self
    }
}

impl<R, B, Err, M> DenyWith<Request<R>, Response<B>, Err> for HttpDeny<M>
where
    R: Body + Send + 'static,
    R::Data: Send,
    M: MakeBody<B>,
    B: FollowBody,
{
    type Context = HttpContext;

    fn context(&self, request: &Request<R>) -> Self::Context {
        HttpContext::from_request(request)
    }

    fn leave(&self, request: Request<R>, context: Self::Context) -> Left<Self::Context> {
        match unread_body::leave(request) {
            Some(leaving) => Left::Going(Box::pin(async move { context.closing(leaving.await) })),
            None => Left::Gone(context),
        }
    }

    fn deny(&self, denial: Denial, context: Self::Context) -> Result<Response<B>, Err> {
        let unread = matches!(&denial, Denial::Unread(unread) if unread.closes_connection());
        let closes = context.closes || unread;
        let problem = DenialResponse::from(denial);
        let mut response =
            problem.into_response(self.retry_after, |json| self.body.make_body(json));
        if closes {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    fn permitted(&self, request: &mut Request<R>, permit: &mut Permit) {
        hand_over(request, permit);
    }

    fn finish(
        &self,
        result: Result<Response<B>, Err>,
        permit: Permit,
        asked: Self::Context,
    ) -> Result<Response<B>, Err> {
        finish(result, permit, asked, by_status)
    }
}

/// Makes the body of a denial from its JSON text. Any closure `Fn(String) -> B` does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make a `{B}` for the body of a denial",
    note = "say how: `.deny_with(HttpDeny::new().body_with(|json: String| ..))`"
)]
pub trait MakeBody<B> {
    /// Returns the body that carries `json`.
    fn make_body(&self, json: String) -> B;
}

/// Bodies by `From<String>`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StringBody;

impl<B: From<String>> MakeBody<B> for StringBody {
    fn make_body(&self, json: String) -> B {
        json.into()
    }
}

impl<F, B> MakeBody<B> for F
where
    F: Fn(String) -> B,
{
    fn make_body(&self, json: String) -> B {
        self(json)
    }
}
