//! The future of a guarded call: decide, call while holding the permit, report.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use agenttrust::{Action, AgentTrustGuard, Permit};
use pin_project_lite::pin_project;
use tower::Service;

use crate::DenyWith;
use crate::asking::ask;
use crate::stage::{Decided, Parked, Stage};

pin_project! {
    /// The answer of a [`Guarded`](crate::Guarded) service on its way.
    ///
    /// It goes `Authorizing → Calling` with the service that was driven ready, or, where the answer
    /// takes long (an approval is waited for, the Guardian is slow), `Authorizing → Held → Readying →
    /// Calling` with a clone. The inner service's future is polled in place, never boxed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it is safe in every state. Before the permit is there, nothing ran and nothing is
    /// reported (an approval that was opened stays open: the same call, repeated, finds it). Once the
    /// permit is there, the drop is reported as `Cancelled`, exactly once, whether or not the inner
    /// service had begun.
    pub struct ResponseFuture<S, Req, D>
    where
        S: Service<Req>,
        D: DenyWith<Req, S::Response, S::Error>,
    {
        deny: D,
        #[pin]
        state: State<Stage<S, Req, D::Context>, S::Future, D::Context>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, F, C> {
        Before { stage: B },
        // In this order: the inner future is dropped before the permit reports that it was.
        Calling { #[pin] future: F, reporting: Option<Reporting<C>> },
    }
}

/// What the end of a call needs; none for a call that was passed unchecked.
struct Reporting<C> {
    permit: Permit,
    context: C,
}

impl<S, Req, D> ResponseFuture<S, Req, D>
where
    S: Service<Req>,
    D: DenyWith<Req, S::Response, S::Error>,
{
    pub(crate) fn asking(
        deny: D,
        guard: AgentTrustGuard,
        action: Action,
        ready: S,
        request: Req,
        context: D::Context,
    ) -> Self {
        let stage = Stage::Authorizing {
            asking: ask(guard, action),
            parked: Parked { service: ready, request, context },
        };
        Self { deny, state: State::Before { stage } }
    }

    pub(crate) fn refusing(deny: D, reason: Cow<'static, str>, context: D::Context) -> Self {
        let stage = Stage::Refused { reason, context };
        Self { deny, state: State::Before { stage } }
    }

    pub(crate) fn passing(deny: D, future: S::Future) -> Self {
        Self { deny, state: State::Calling { future, reporting: None } }
    }
}

impl<S, Req, D> Future for ResponseFuture<S, Req, D>
where
    S: Service<Req> + Clone,
    D: DenyWith<Req, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Before { stage } => match ready!(stage.poll_decided(cx)) {
                    Decided::Call { permit, ready } => {
                        let Parked { mut service, request, context } = ready;
                        let future = service.call(request);
                        this.state.set(State::Calling {
                            future,
                            reporting: Some(Reporting { permit, context }),
                        });
                    }
                    Decided::Deny { denial, context } => {
                        return Poll::Ready(this.deny.deny(denial, context));
                    }
                    Decided::Unready { permit, error, context } => {
                        let result = Err(error);
                        permit.finish_with(this.deny.outcome(&result, &context));
                        return Poll::Ready(result);
                    }
                },
                StateProj::Calling { future, reporting } => {
                    // In hand while the inner future is polled: if that panics, the permit is dropped
                    // by the unwinding and says so, whoever catches the panic further out.
                    let in_hand = reporting.take();
                    let Poll::Ready(result) = future.poll(cx) else {
                        *reporting = in_hand;
                        return Poll::Pending;
                    };
                    if let Some(Reporting { permit, context }) = in_hand {
                        permit.finish_with(this.deny.outcome(&result, &context));
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

// Names the state and nothing else: requests and answers are not for logs.
impl<S, Req, D> fmt::Debug for ResponseFuture<S, Req, D>
where
    S: Service<Req>,
    D: DenyWith<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Before { stage } => stage.name(),
            State::Calling { .. } => "Calling",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
