//! The service: reads the token, and goes on at once where its agent is known.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use agenttrust::PermitHandle;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::bearer::{self, Presented};
use super::bound::Bound;
use super::future::{AuthenticateFuture, admit};
use super::refusal::{Challenge, Refusal};
use super::tokens::{Lookup, Tokens, answered};
use crate::call_state::CallState;
use crate::http::MakeBody;
use crate::http::preflight::{Preflight, is_preflight};
use crate::pending::pending_answer;

/// A service that is called only for agents that are known by their tokens.
///
/// Made by an [`AuthenticateLayer`](crate::AuthenticateLayer).
///
/// # Clone
///
/// Clones share what they know of tokens. The inner service must be [`Clone`]: the one that was driven
/// ready moves into the call, and a clone takes its place.
#[derive(Clone)]
pub struct Authenticate<S, M> {
    pub(super) inner: S,
    pub(super) tokens: Arc<Tokens>,
    pub(super) challenge: Arc<Challenge>,
    pub(super) preflights: bool,
    pub(super) body: M,
}

impl<S, M> Authenticate<S, M> {
    crate::inner::inner!(S, "inner service", "Calls made on it directly are not authenticated.");
}

impl<S, M> Authenticate<S, M> {
    /// Returns what is known of the token of a request; and the token with its proof, where it is bound to a key.
    fn look<B>(&self, request: &Request<B>) -> (Result<Lookup, Refusal>, Option<Arc<Bound>>) {
        let tokens = &self.tokens;
        if request.extensions().get::<PermitHandle>().is_some() {
            return (Err(tokens.wrong_order()), None);
        }
        match bearer::token(request.headers(), tokens.takes_bound()) {
            Err(refusal) => (Err(refusal), None),
            Ok(Presented::Plain(token)) => (Ok(tokens.look(token, None)), None),
            Ok(Presented::Bound { token, proof }) => {
                let urls = &tokens.introspector.requirements.public_urls;
                let bound = Arc::new(Bound::new(token, proof, request, urls));
                let lookup = match tokens.look(token, Some(&bound)) {
                    Lookup::Answered(known) => Lookup::Answered(known.map_err(Refusal::of_bound)),
                    pending @ Lookup::Pending(_) => pending,
                };
                (Ok(lookup), Some(bound))
            }
        }
    }
}

impl<S, M, B, R> Service<Request<B>> for Authenticate<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    M: MakeBody<R> + Clone,
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AuthenticateFuture<S, B, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.preflights && is_preflight(&request) {
            Preflight::admit(&mut request);
            let future = self.inner.call(request);
            return AuthenticateFuture::calling(
                future,
                Arc::clone(&self.challenge),
                self.body.clone(),
            );
        }
        let (lookup, bound) = self.look(&request);
        match lookup {
            Err(refusal) | Ok(Lookup::Answered(Err(refusal))) => AuthenticateFuture::refusing(
                refusal,
                request,
                Arc::clone(&self.challenge),
                self.body.clone(),
            ),
            Ok(Lookup::Answered(Ok(identity))) => {
                admit(&mut request, identity);
                let future = self.inner.call(request);
                AuthenticateFuture::calling(future, Arc::clone(&self.challenge), self.body.clone())
            }
            Ok(Lookup::Pending(asked)) => {
                // The service that was polled ready goes with the call; its clone need not be ready.
                let fresh = self.inner.clone();
                let ready = mem::replace(&mut self.inner, fresh);
                let pending = match bound {
                    None => pending_answer(answered(asked)),
                    Some(bound) => {
                        pending_answer(Arc::clone(&self.tokens).answered_bound(bound, asked))
                    }
                };
                let call_state = CallState::Authorizing { pending, service: ready };
                AuthenticateFuture::authenticating(
                    call_state,
                    request,
                    Arc::clone(&self.tokens),
                    Arc::clone(&self.challenge),
                    self.body.clone(),
                )
            }
        }
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Authenticate<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("inner", &self.inner)
            .field("audience", &self.tokens.introspector.requirements.audience)
            .field("required", &self.tokens.introspector.requirements.scopes)
            .finish_non_exhaustive()
    }
}
