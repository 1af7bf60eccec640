//! The service: reads the action, asks, and hands everything else to the future.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use agenttrust::internal::Cover;
use agenttrust::{Action, AgentTrustGuard};
use tower::Service;

use crate::call_state::CallState;
use crate::future::{CallParts, Granted};
use crate::pending::pending_answer;
use crate::refine::Refine;
use crate::{Denial, DenyWith, ExtractAction, Extracted, ResponseFuture};

/// Requests go on as they come: nothing is read of their bodies before the Guardian is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsItComes;

/// A service whose every call is checked before it runs and reported after it ran.
///
/// Made by a [`GuardLayer`](crate::GuardLayer).
///
/// # Clone
///
/// The inner service must be [`Clone`]: the one that was driven ready moves into the call, and a
/// clone takes its place.
///
/// # When the compiler finds no `ready` and no `call`
///
/// Then it is not a [`Service`], mostly because a denial cannot become the inner service's error. Of a method that
/// is missing the compiler does not say why; it does where a `Service` is asked for:
///
/// ```compile_fail,E0277
/// # use agenttrust::{Action, AgentTrustGuard};
/// # use agenttrust_tower::GuardLayer;
/// # use tower::{Layer, Service, service_fn};
/// # fn example(guard: AgentTrustGuard) {
/// # let layer = GuardLayer::new(guard).extract(|path: &String| Action::new("read").input(path));
/// struct Broken;
/// let service = layer.layer(service_fn(|path: String| async move { Ok::<_, Broken>(path) }));
///
/// fn is_service<S: Service<String>>(_: &S) {}
/// is_service(&service); // `DenyAsError` cannot turn a denial into a `Result<String, Broken>`
/// # }
/// ```
///
/// Either the error is made from an [`AgentTrustError`](agenttrust::AgentTrustError) (`impl From`), or the layer is
/// told how with [`deny_with`](crate::GuardLayer::deny_with):
///
/// ```
/// # use agenttrust::{Action, AgentTrustGuard};
/// # use tower::{Layer, Service, service_fn};
/// use agenttrust_tower::{Denial, GuardLayer};
///
/// # struct Broken;
/// # fn example(guard: AgentTrustGuard) {
/// # let layer = GuardLayer::new(guard).extract(|path: &String| Action::new("read").input(path));
/// let layer = layer.deny_with(|_: Denial| Err(Broken));
/// # let service = layer.layer(service_fn(|path: String| async move { Ok::<_, Broken>(path) }));
/// # fn is_service<S: Service<String>>(_: &S) {}
/// # is_service(&service);
/// # }
/// ```
#[derive(Clone)]
pub struct Guarded<S, X, D, I = AsItComes> {
    pub(crate) inner: S,
    pub(crate) guard: AgentTrustGuard,
    pub(crate) extract: X,
    pub(crate) deny: D,
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only bodies over HTTP are read")
    )]
    pub(crate) intake: I,
    pub(crate) refine: Arc<Refine>,
}

impl<S, X, D, I> Guarded<S, X, D, I> {
    crate::inner::inner!(S, "inner service", "Calls made on it directly are not checked.");
}

impl<S, X, D, I> Guarded<S, X, D, I> {
    /// Returns what the inner service is entered with: a cover where the layer was built for it; else, where it
    /// is another agent's call, that agent's guard alone, so that functions inside ask as that agent too.
    pub(crate) fn covering(&self, action: &Action) -> Option<Cover> {
        if self.refine.covers_inner {
            return Some(Cover::for_action(&self.guard, action));
        }
        action.principal().map(|_| Cover::for_action(&self.guard, action).spent())
    }
}

impl<S: Clone, X, D, I> Guarded<S, X, D, I> {
    /// Returns the service that was polled ready, which goes with the call; its clone need not be ready.
    pub(crate) fn take_ready(&mut self) -> S {
        let fresh = self.inner.clone();
        mem::replace(&mut self.inner, fresh)
    }
}

impl<S, X, D, Req> Service<Req> for Guarded<S, X, D>
where
    S: Service<Req> + Clone,
    X: ExtractAction<Req>,
    D: DenyWith<Req, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, D>;

    // Only the inner service's readiness: a denial belongs to one request, and here there is none yet.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.extract.extract(&request) {
            Extracted::Guard(action) => {
                let action = self.refine.apply(action);
                let context = self.deny.context(&request);
                let cover = self.covering(&action);
                let guard = self.guard.clone();
                let pending = pending_answer(async move {
                    let permit = guard.authorize(action).await.map_err(Denial::Blocked)?;
                    Ok(Granted { permit, request: None })
                });
                let call_state = CallState::Authorizing { pending, service: self.take_ready() };
                let parts = CallParts { request: Some(request), context, cover };
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

impl<S: fmt::Debug, X, D, I> fmt::Debug for Guarded<S, X, D, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("inner", &self.inner)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
