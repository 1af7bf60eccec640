//! The future of a guarded call: decide, call while holding the permit, report.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use agenttrust::Permit;
use agenttrust::internal::{Cover, Running};
use pin_project_lite::pin_project;
use tower::Service;

use crate::call_state::{CallState, Decided};
use crate::{Denial, DenyWith, Left};

pin_project! {
    /// The answer of a [`Guarded`](crate::Guarded) service on its way.
    ///
    /// It goes `Authorizing → Calling` with the service that was driven ready, or, where the answer
    /// takes long (an approval is waited for, the Guardian is slow), `Authorizing → Waiting → Readying →
    /// Calling` with a clone. The inner service's future is polled in place, never boxed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it is safe in every state. Before the permit is there, nothing ran and nothing is
    /// reported (an approval that was opened stays open: the same call, repeated, finds it). Once the
    /// permit is there, the drop is reported as `Cancelled`, exactly once, whether or not the inner
    /// service had begun. A body that is being read for an approval to be bound to it is dropped with it.
    pub struct ResponseFuture<S, Req, D>
    where
        S: Service<Req>,
        D: DenyWith<Req, S::Response, S::Error>,
    {
        deny: D,
        #[pin]
        state: State<CallState<S, Granted<Req>, Denial>, CallParts<Req, D::Context>, S::Future, D::Context>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, P, F, C> {
        Refused { denial: Option<Denial>, left: Option<Left<C>> },
        Before { call_state: B, parts: Option<P> },
        // In this order: the inner future is dropped before the permit reports that it was.
        Calling { #[pin] future: F, permit_state: PermitState<C> },
    }
}

/// The answer that lets a call be made.
pub(crate) struct Granted<Req> {
    pub(crate) permit: Permit,
    /// The request, where its body was read for the check; else it is in the [`CallParts`].
    pub(crate) request: Option<Req>,
}

/// The parts of a call that wait for its permit.
pub(crate) struct CallParts<Req, C> {
    pub(crate) request: Option<Req>,
    pub(crate) context: C,
    pub(crate) cover: Option<Cover>,
}

/// The permit of a call while the inner service runs.
enum PermitState<C> {
    /// The call was passed unchecked, and has no decision.
    Passed,
    Permit(AuthorizedCall<C>),
    /// The call was handed on: the inner service answered, or panicked.
    Over,
}

/// A call that runs with a permit, and what its end needs.
struct AuthorizedCall<C> {
    permit: Permit,
    context: C,
    running: Option<Running>,
}

impl<S, Req, D> ResponseFuture<S, Req, D>
where
    S: Service<Req>,
    D: DenyWith<Req, S::Response, S::Error>,
{
    pub(crate) fn authorizing(
        deny: D,
        call_state: CallState<S, Granted<Req>, Denial>,
        parts: CallParts<Req, D::Context>,
    ) -> Self {
        Self { deny, state: State::Before { call_state, parts: Some(parts) } }
    }

    pub(crate) fn refusing(
        deny: D,
        reason: Cow<'static, str>,
        (request, context): (Req, D::Context),
    ) -> Self {
        let left = Some(deny.leave(request, context));
        Self { deny, state: State::Refused { denial: Some(Denial::Refused(reason)), left } }
    }

    pub(crate) fn passing(deny: D, future: S::Future) -> Self {
        Self { deny, state: State::Calling { future, permit_state: PermitState::Passed } }
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
                StateProj::Refused { denial, left } => {
                    let context = ready!(Left::poll_gone(left, cx));
                    return Poll::Ready(this.deny.deny(once(denial.take()), context));
                }
                StateProj::Before { call_state, parts } => {
                    let decided = ready!(call_state.poll_decided::<Req>(cx));
                    let CallParts { request, context, cover } = once(parts.take());
                    match decided {
                        Decided::Call {
                            mut service,
                            answer: Granted { mut permit, request: read },
                        } => {
                            let mut request = once(read.or(request));
                            let running = Running::under(&mut permit, cover);
                            this.deny.permitted(&mut request, &mut permit);
                            let future = {
                                let _running = running.as_ref().map(Running::enter);
                                service.call(request)
                            };
                            let call = AuthorizedCall { permit, context, running };
                            let permit_state = PermitState::Permit(call);
                            this.state.set(State::Calling { future, permit_state });
                        }
                        Decided::Refuse(denial) => {
                            let left = Some(match request {
                                Some(request) => this.deny.leave(request, context),
                                // It was read for the check.
                                None => Left::Gone(context),
                            });
                            this.state.set(State::Refused { denial: Some(denial), left });
                        }
                        Decided::Unready { answer: Granted { permit, .. }, error } => {
                            return Poll::Ready(this.deny.finish(Err(error), permit, context));
                        }
                    }
                }
                StateProj::Calling { future, permit_state } => {
                    // In hand while the inner future is polled: if that panics, the permit is dropped
                    // by the unwinding and says so, whoever catches the panic further out.
                    let in_hand = match mem::replace(permit_state, PermitState::Over) {
                        PermitState::Passed => None,
                        PermitState::Permit(call) => Some(call),
                        // Not once more: its permit is spent.
                        PermitState::Over => once(None),
                    };
                    let polled = {
                        let running = in_hand.as_ref().and_then(|call| call.running.as_ref());
                        let _running = running.map(Running::enter);
                        future.poll(cx)
                    };
                    let Poll::Ready(result) = polled else {
                        *permit_state = in_hand.map_or(PermitState::Passed, PermitState::Permit);
                        return Poll::Pending;
                    };
                    let Some(AuthorizedCall { permit, context, .. }) = in_hand else {
                        return Poll::Ready(result);
                    };
                    return Poll::Ready(this.deny.finish(result, permit, context));
                }
            }
        }
    }
}

/// Returns what a future holds until it answers.
///
/// # Panics
///
/// When the future is polled after it had answered, which no executor does.
pub(crate) fn once<T>(there: Option<T>) -> T {
    #[expect(clippy::panic, reason = "as `Future` has it: not polled once ready")]
    there.unwrap_or_else(|| panic!("a call was polled after it had answered"))
}

// Names the state and nothing else: requests and answers are not for logs.
impl<S, Req, D> fmt::Debug for ResponseFuture<S, Req, D>
where
    S: Service<Req>,
    D: DenyWith<Req, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Refused { .. } => "Refused",
            State::Before { call_state, .. } => call_state.name(),
            State::Calling { .. } => "Calling",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
