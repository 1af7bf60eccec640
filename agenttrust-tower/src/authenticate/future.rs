//! The future of an authenticated call: find out whose it is, then call.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use agenttrust::AgentIdentity;
use agenttrust::model::headers;
use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderValue, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::Service;

use super::refusal::{Challenge, Refusal};
use super::tokens::{Answer, Tokens};
use crate::call_state::{CallState, Decided};
use crate::future::once;
use crate::http::MakeBody;
use crate::intake::unread_body::{self, Leaving};

pin_project! {
    /// The answer of an [`Authenticate`](crate::Authenticate) service on its way.
    ///
    /// # Cancel safety
    ///
    /// Dropping it is safe at any time. A question about the token goes on, for the next request
    /// with that token.
    pub struct AuthenticateFuture<S, B, M>
    where
        S: Service<Request<B>>,
    {
        challenge: Arc<Challenge>,
        body: M,
        #[pin]
        state: State<CallState<S, Answer, Refusal>, Request<B>, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<G, Q, F> {
        Refused { refusal: Option<Refusal>, leaving: Option<Leaving> },
        Before { call_state: G, request: Option<Q>, tokens: Arc<Tokens> },
        Calling { #[pin] future: F },
    }
}

/// Lets a request in as the agent that is known.
pub(super) fn admit<B>(request: &mut Request<B>, identity: AgentIdentity) {
    // It is for this server, and for nobody that this server may hand the request on to.
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(headers::DPOP);
    request.extensions_mut().insert(identity);
}

impl<S: Service<Request<B>>, B, M> AuthenticateFuture<S, B, M> {
    pub(super) fn calling(future: S::Future, challenge: Arc<Challenge>, body: M) -> Self {
        Self { challenge, body, state: State::Calling { future } }
    }

    pub(super) fn authenticating(
        call_state: CallState<S, Answer, Refusal>,
        request: Request<B>,
        tokens: Arc<Tokens>,
        challenge: Arc<Challenge>,
        body: M,
    ) -> Self {
        Self {
            challenge,
            body,
            state: State::Before { call_state, request: Some(request), tokens },
        }
    }
}

impl<S, B, M> AuthenticateFuture<S, B, M>
where
    S: Service<Request<B>>,
    B: Body + Send + 'static,
    B::Data: Send,
{
    pub(super) fn refusing(
        refusal: Refusal,
        request: Request<B>,
        challenge: Arc<Challenge>,
        body: M,
    ) -> Self {
        Self { challenge, body, state: State::refused(refusal, Some(request)) }
    }
}

impl<G, B, F> State<G, Request<B>, F>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    fn refused(refusal: Refusal, request: Option<Request<B>>) -> Self {
        Self::Refused { refusal: Some(refusal), leaving: request.and_then(unread_body::leave) }
    }
}

impl<S, B, M, R> Future for AuthenticateFuture<S, B, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: Body + Send + 'static,
    B::Data: Send,
    M: MakeBody<R>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Refused { refusal, leaving } => {
                    let closes = match leaving {
                        Some(leaving) => ready!(leaving.as_mut().poll(cx)),
                        None => false,
                    };
                    let refusal = once(refusal.take());
                    let make_body = |json| this.body.make_body(json);
                    let mut response = refusal.into_response(this.challenge, make_body);
                    if closes {
                        let close = HeaderValue::from_static("close");
                        response.headers_mut().insert(CONNECTION, close);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProj::Before { call_state, request, tokens } => {
                    match ready!(call_state.poll_decided::<Request<B>>(cx)) {
                        // Looked at once more: it may have waited minutes for the service.
                        Decided::Call { mut service, answer } => match tokens.still(answer) {
                            Ok(identity) => {
                                let mut request = once(request.take());
                                admit(&mut request, identity);
                                this.state.set(State::Calling { future: service.call(request) });
                            }
                            Err(refusal) => {
                                let refused = State::refused(refusal, request.take());
                                this.state.set(refused);
                            }
                        },
                        Decided::Refuse(refusal) => {
                            let refused = State::refused(refusal, request.take());
                            this.state.set(refused);
                        }
                        Decided::Unready { error, .. } => return Poll::Ready(Err(error)),
                    }
                }
                StateProj::Calling { future } => return future.poll(cx),
            }
        }
    }
}

impl<S: Service<Request<B>>, B, M> fmt::Debug for AuthenticateFuture<S, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Refused { .. } => "Refused",
            State::Before { call_state, .. } => match call_state {
                CallState::Authorizing { .. } => "Authenticating",
                _ => call_state.name(),
            },
            State::Calling { .. } => "Calling",
        };
        f.debug_struct("AuthenticateFuture")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
