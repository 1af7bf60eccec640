//! The service: takes a message in, and hands on what it has read.

use std::fmt;
use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tower::Service;

use super::future::McpHttpFuture;
use super::message::{self, Message, Scope};
use super::read;
use super::rpc::{INTERNAL_ERROR, INVALID_REQUEST, Rejection};
use crate::asking::ask;
use crate::http::MakeBody;
use crate::stage::Stage;

/// How messages are taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    pub(super) limit: usize,
    pub(super) within: Duration,
    pub(super) scope: Scope,
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

    /// The guarded service. It refuses what did not come by this one.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The guarded service, mutably. It refuses what did not come by this one.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the reader off; returns the guarded service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, M, B, R> Service<Request<B>> for McpHttp<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    M: MakeBody<R> + Clone,
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
        match *request.method() {
            Method::POST => {
                // The service that was polled ready goes with the call; its clone need not be ready.
                let fresh = self.inner.clone();
                let ready = mem::replace(&mut self.inner, fresh);
                let asking = ask(taken_in(request, self.intake));
                McpHttpFuture::reading(Stage::Asking { asking, service: ready }, self.body.clone())
            }
            Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE => {
                request.extensions_mut().insert(Message::Pass);
                McpHttpFuture::calling(self.inner.call(request), self.body.clone())
            }
            _ => {
                let message = "MCP over HTTP has POST, GET and DELETE";
                let rejection =
                    Rejection::new(INVALID_REQUEST, message).status(StatusCode::METHOD_NOT_ALLOWED);
                McpHttpFuture::refusing(rejection, self.body.clone())
            }
        }
    }
}

/// The request with the message that was read from it, and nothing else in its body.
async fn taken_in<B>(request: Request<B>, intake: Intake) -> Result<Request<B>, Rejection>
where
    B: Body + From<Bytes>,
{
    let (mut head, body) = request.into_parts();
    let text = read::read(&head.headers, body, intake.limit, intake.within).await?;
    let (value, message) = message::read(&text, &head.headers, intake.scope)?;
    drop(text);
    // Written anew: whatever the next reader makes of JSON, it reads what was read here.
    let text = serde_json::to_vec(&value)
        .map_err(|_| Rejection::new(INTERNAL_ERROR, "the message cannot be handed on"))?;
    head.headers.remove(TRANSFER_ENCODING);
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    head.extensions.insert(message);
    Ok(Request::from_parts(head, B::from(Bytes::from(text))))
}

impl<S: fmt::Debug, M> fmt::Debug for McpHttp<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpHttp")
            .field("inner", &self.inner)
            .field("intake", &self.intake)
            .finish_non_exhaustive()
    }
}
