//! The future of a message: read it, then call the guarded service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::rpc::Rejection;
use crate::call_state::{CallState, Decided};
use crate::future::once;
use crate::http::{FollowBody, Following, MakeBody};
use crate::judge::reply::listening;
use crate::judge::unanswered::UnansweredCalls;

pin_project! {
    /// The answer of an [`McpHttp`](crate::mcp::McpHttp) service on its way.
    ///
    /// # Cancel safety
    ///
    /// Dropping it is safe at any time: before the message was read nothing was asked, and afterwards it
    /// is as for [`ResponseFuture`](crate::ResponseFuture).
    pub struct McpHttpFuture<S, B, M>
    where
        S: Service<Request<B>>,
    {
        body: M,
        #[pin]
        state: State<CallState<S, Request<B>, Rejection>, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<G, F> {
        Refused { rejection: Option<Rejection> },
        Reading { call_state: G },
        Calling { #[pin] future: F, listening: Option<Listening> },
    }
}

/// The parts that are needed to listen to a stream of the server for the answers of calls whose own stream has ended.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    unanswered: UnansweredCalls,
    headers: HeaderMap,
}

impl Listening {
    pub(super) fn of(unanswered: &UnansweredCalls, headers: &HeaderMap) -> Self {
        Self { unanswered: unanswered.clone(), headers: headers.clone() }
    }

    fn follow<R: FollowBody>(self, response: Response<R>) -> Response<R> {
        match listening(&response, || self.unanswered.stream(&self.headers)) {
            Some(judge) => response.map(|body| body.follow(Following::listening(judge))),
            None => response,
        }
    }
}

impl<S: Service<Request<B>>, B, M> McpHttpFuture<S, B, M> {
    pub(super) fn reading(call_state: CallState<S, Request<B>, Rejection>, body: M) -> Self {
        Self { body, state: State::Reading { call_state } }
    }

    pub(super) fn calling(future: S::Future, listening: Option<Listening>, body: M) -> Self {
        Self { body, state: State::Calling { future, listening } }
    }
}

impl<S, B, M, R> Future for McpHttpFuture<S, B, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    M: MakeBody<R>,
    R: FollowBody,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Refused { rejection } => {
                    let rejection = once(rejection.take());
                    let make_body = |json| this.body.make_body(json);
                    return Poll::Ready(Ok(rejection.into_response(make_body)));
                }
                StateProj::Reading { call_state } => {
                    let next = match ready!(call_state.poll_decided::<Request<B>>(cx)) {
                        Decided::Call { mut service, answer: request } => {
                            State::Calling { future: service.call(request), listening: None }
                        }
                        Decided::Refuse(rejection) => State::Refused { rejection: Some(rejection) },
                        Decided::Unready { error, .. } => return Poll::Ready(Err(error)),
                    };
                    this.state.set(next);
                }
                StateProj::Calling { future, listening } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(match listening.take() {
                        Some(listening) => listening.follow(response),
                        None => response,
                    }));
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B, M> fmt::Debug for McpHttpFuture<S, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Refused { .. } => "Refused",
            State::Reading { .. } => "Reading",
            State::Calling { .. } => "Calling",
        };
        f.debug_struct("McpHttpFuture")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
