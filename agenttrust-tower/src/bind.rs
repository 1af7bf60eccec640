//! Requests whose bodies are read before the Guardian is asked: what was read is digested and handed on.

use std::task::{Context, Poll};
use std::time::Duration;

use agenttrust::{Action, AgentTrustGuard};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use http_body::Body;
use tower::Service;

use crate::call_state::CallState;
use crate::future::{CallParts, Granted};
use crate::intake::{Bounds, FromBuffered, Whole, take_in};
use crate::pending::pending_answer;
use crate::{Denial, DenyWith, ExtractAction, Extracted, GuardLayer, Guarded, ResponseFuture};

/// The time that a body may take to come, where no other time was set.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// A way to read bodies and to bind approvals to them.
pub trait BindWhole: Clone + Send + Sync + 'static {
    /// Returns how long a body may be, and how long it may take.
    #[doc(hidden)]
    fn bounds(&mut self) -> &mut Bounds;

    /// Returns whether the request has a body that can be read to its end.
    fn reads(&self, head: &Parts) -> bool;

    /// Returns whether so much of a body shows already that it can be none.
    fn is_enough(&self, read: &[u8]) -> bool;

    /// Returns the action of the whole request.
    fn bind(&self, action: Action, head: &Parts, whole: &Whole) -> Result<Action, Denial>;
}

impl<X, D, I: BindWhole> GuardLayer<X, D, I> {
    /// Sets how long a body may take to come; 30 seconds unless set here. The time is for all of it, so that
    /// one that comes drop by drop ends with it too.
    pub fn body_timeout(mut self, within: Duration) -> Self {
        self.intake.bounds().within = within;
        self
    }
}

impl<S, X, D, I, B> Service<Request<B>> for Guarded<S, X, D, I>
where
    S: Service<Request<B>> + Clone,
    X: ExtractAction<Request<B>>,
    D: DenyWith<Request<B>, S::Response, S::Error> + Clone,
    I: BindWhole,
    B: Body + FromBuffered + Send + 'static,
    B::Data: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<B>, D>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.extract.extract(&request) {
            Extracted::Guard(action) => {
                let action = self.refine.apply(action);
                let context = self.deny.context(&request);
                let cover = self.covering(&action);
                let pending = pending_answer(read_and_ask(
                    self.guard.clone(),
                    action,
                    request,
                    self.intake.clone(),
                ));
                let call_state = CallState::Authorizing { pending, service: self.take_ready() };
                let parts = CallParts { request: None, context, cover };
                ResponseFuture::authorizing(self.deny.clone(), call_state, parts)
            }
            Extracted::Pass => ResponseFuture::passing(self.deny.clone(), self.inner.call(request)),
            Extracted::Refuse(reason) => {
                let context = self.deny.context(&request);
                ResponseFuture::refusing(self.deny.clone(), reason, (request, context))
            }
        }
    }
}

async fn read_and_ask<B, I>(
    guard: AgentTrustGuard,
    action: Action,
    request: Request<B>,
    mut intake: I,
) -> Result<Granted<Request<B>>, Denial>
where
    B: Body + FromBuffered + Send + 'static,
    B::Data: Send,
    I: BindWhole,
{
    let (mut head, mut body) = request.into_parts();
    let mut action = action;
    if intake.reads(&head) {
        let bounds = *intake.bounds();
        let whole = take_in(&head, body, bounds, |read| intake.is_enough(read)).await;
        let whole = whole.map_err(Denial::Unread)?;
        action = intake.bind(action, &head, &whole)?;
        describe(&mut head.headers, &whole);
        body = B::from_buffered(whole.into());
    }
    let permit = guard.authorize(action).await.map_err(Denial::Blocked)?;
    Ok(Granted { permit, request: Some(Request::from_parts(head, body)) })
}

/// Makes the head true of a body that is there.
fn describe(headers: &mut HeaderMap, whole: &Whole) {
    // It came: nobody behind has to be asked for it any more.
    headers.remove(EXPECT);
    if whole.trailers.is_some() && headers.contains_key(TRANSFER_ENCODING) {
        // Trailers go in chunks, and a length beside those would be a second framing.
        headers.remove(CONTENT_LENGTH);
    } else if headers.remove(TRANSFER_ENCODING).is_some() || headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.bytes.len()));
    }
}
