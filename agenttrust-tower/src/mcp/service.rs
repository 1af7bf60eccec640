//! The service: takes a message in, and hands on what it has read.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use tower::Service;

use super::future::{Listening, McpHttpFuture};
use super::message::{Message, Reading, Schemas, Scope};
use super::read;
use super::rpc::Rejection;
use crate::call_state::CallState;
use crate::http::{FollowBody, MakeBody};
use crate::intake::Bounds;
use crate::judge::unanswered::UnansweredCalls;
use crate::pending::pending_answer;

/// The way in which messages are taken in.
#[derive(Clone, Debug)]
pub(super) struct Intake {
    pub(super) bounds: Bounds,
    pub(super) scope: Scope,
    pub(super) schemas: Schemas,
    /// The members of `_meta` that go on and are bound.
    pub(super) meta: Arc<[String]>,
    /// Calls that may be answered on another stream than their own.
    pub(super) unanswered: UnansweredCalls,
}

impl Intake {
    /// Returns a value that was read takes some hundred bytes, of which the shortest are two in the text: the
    /// limit alone would be one of text and not of memory.
    fn most_values(&self) -> usize {
        (self.bounds.limit / 16).max(1024)
    }
}

/// Reads the messages that go to a guarded MCP server.
///
/// Made by an [`McpHttpLayer`](crate::McpHttpLayer), around a [`Guarded`](crate::Guarded) service.
///
/// # Clone
///
/// The inner service must be [`Clone`]: the one that was driven ready moves into the call, and a clone
/// takes its place.
#[derive(Clone)]
pub struct McpHttp<S, M> {
    inner: S,
    intake: Intake,
    body: M,
}

impl<S, M> McpHttp<S, M> {
    pub(super) fn new(inner: S, intake: Intake, body: M) -> Self {
        Self { inner, intake, body }
    }

    crate::inner::inner!(S, "guarded service", "It refuses what did not come by this one.");
}

impl<S, M, B, R> Service<Request<B>> for McpHttp<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    M: MakeBody<R> + Clone,
    R: FollowBody,
    B: Body + From<Bytes> + Send + 'static,
    B::Data: Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = McpHttpFuture<S, B, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if is_bare(&request) {
            request.headers_mut().remove(UPGRADE);
            request.extensions_mut().insert(Message::Pass);
            let listening = (*request.method() == Method::GET)
                .then(|| Listening::of(&self.intake.unanswered, request.headers()));
            let future = self.inner.call(request);
            return McpHttpFuture::calling(future, listening, self.body.clone());
        }
        // The service that was polled ready goes with the call; its clone need not be ready.
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let pending = pending_answer(taken_in(request, self.intake.clone()));
        McpHttpFuture::reading(
            CallState::Authorizing { pending, service: ready },
            self.body.clone(),
        )
    }
}

/// Returns whether there is nothing to read: no message comes with these methods.
fn is_bare<B: Body>(request: &Request<B>) -> bool {
    let method = request.method();
    let bare = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE);
    bare && request.body().is_end_stream()
}

/// Returns the request with the message that was read from it, and nothing else in its body.
async fn taken_in<B>(request: Request<B>, intake: Intake) -> Result<Request<B>, Rejection>
where
    B: Body + From<Bytes> + Send + 'static,
    B::Data: Send,
{
    let (mut head, body) = request.into_parts();
    let text = read::read_body(&head, body, intake.bounds).await?;
    let (text, message) = match head.method {
        Method::POST => {
            let Intake { scope, schemas, meta, .. } = &intake;
            let reading = Reading { most: intake.most_values(), scope: *scope, schemas, meta };
            reading.parse(&text, &head.headers)?
        }
        _ => (Vec::new(), Message::Pass),
    };
    describe(&mut head.headers, text.len());
    head.extensions.insert(message);
    Ok(Request::from_parts(head, B::from(Bytes::from(text))))
}

/// Headers that say something of a body that is no longer there, or of the way that it came.
const OF_THE_BODY_BEFORE: [HeaderName; 9] = [
    CONTENT_ENCODING,
    EXPECT,
    TRAILER,
    TRANSFER_ENCODING,
    // A connection that becomes something else is one that nobody looks into.
    UPGRADE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

fn describe(headers: &mut HeaderMap, length: usize) {
    for header in OF_THE_BODY_BEFORE {
        headers.remove(header);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    // Not where there was none: a browser sends such a request to anybody, and the server may know.
    if headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
}

impl<S: fmt::Debug, M> fmt::Debug for McpHttp<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpHttp")
            .field("inner", &self.inner)
            .field("intake", &self.intake)
            .finish_non_exhaustive()
    }
}
