//! The future of a guarded call: decide, call while holding the permit, report.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use agenttrust::Permit;
use agenttrust::internal::{Cover, Running};
use pin_project_lite::pin_project;
use tower::Service;

use crate::stage::{Decided, Stage};
use crate::{Denial, DenyWith, Left};

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
    /// service had begun. A body that is being read for an approval to be bound to it is dropped with it.
    pub struct ResponseFuture<S, Req, D>
    where
        S: Service<Req>,
        D: DenyWith<Req, S::Response, S::Error>,
    {
        deny: D,
        #[pin]
        state: State<Stage<S, Granted<Req>, Denial>, Parked<Req, D::Context>, S::Future, D::Context>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B, P, F, C> {
        Refused { denial: Option<Denial>, left: Option<Left<C>> },
        Before { stage: B, parked: Option<P> },
        // In this order: the inner future is dropped before the permit reports that it was.
        Calling { #[pin] future: F, held: Holding<C> },
    }
}

/// That a call may be made.
pub(crate) struct Granted<Req> {
    pub(crate) permit: Permit,
    /// The request, where it was read for the question; else it is parked.
    pub(crate) request: Option<Req>,
}

/// What a call is made with, once it may be.
pub(crate) struct Parked<Req, C> {
    pub(crate) request: Option<Req>,
    pub(crate) context: C,
    pub(crate) cover: Option<Cover>,
}

/// What is held while the inner service is called.
enum Holding<C> {
    /// Nothing: the call was passed unchecked.
    Passed,
    Permit(Held<C>),
    /// Nothing any more: it has answered, or panicked.
    Over,
}

/// What the end of a call needs.
struct Held<C> {
    permit: Permit,
    context: C,
    running: Option<Running>,
}

impl<S, Req, D> ResponseFuture<S, Req, D>
where
    S: Service<Req>,
    D: DenyWith<Req, S::Response, S::Error>,
{
    pub(crate) fn asking(
        deny: D,
        stage: Stage<S, Granted<Req>, Denial>,
        parked: Parked<Req, D::Context>,
    ) -> Self {
        Self { deny, state: State::Before { stage, parked: Some(parked) } }
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
        Self { deny, state: State::Calling { future, held: Holding::Passed } }
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
                StateProj::Before { stage, parked } => {
                    let decided = ready!(stage.poll_decided::<Req>(cx));
                    let Parked { request, context, cover } = once(parked.take());
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
                            let held = Holding::Permit(Held { permit, context, running });
                            this.state.set(State::Calling { future, held });
                        }
                        Decided::Refuse(denial) => {
                            let left = match request {
                                Some(request) => this.deny.leave(request, context),
                                // It was read for the question.
                                None => Left::Gone(context),
                            };
                            this.state
                                .set(State::Refused { denial: Some(denial), left: Some(left) });
                        }
                        Decided::Unready { answer: Granted { permit, .. }, error } => {
                            return Poll::Ready(this.deny.finish(Err(error), permit, context));
                        }
                    }
                }
                StateProj::Calling { future, held } => {
                    // In hand while the inner future is polled: if that panics, the permit is dropped
                    // by the unwinding and says so, whoever catches the panic further out.
                    let in_hand = match mem::replace(held, Holding::Over) {
                        Holding::Passed => None,
                        Holding::Permit(held) => Some(held),
                        // Not once more: its permit is spent.
                        Holding::Over => once(None),
                    };
                    let polled = {
                        let running = in_hand.as_ref().and_then(|held| held.running.as_ref());
                        let _running = running.map(Running::enter);
                        future.poll(cx)
                    };
                    let Poll::Ready(result) = polled else {
                        *held = in_hand.map_or(Holding::Passed, Holding::Permit);
                        return Poll::Pending;
                    };
                    let Some(Held { permit, context, .. }) = in_hand else {
                        return Poll::Ready(result);
                    };
                    return Poll::Ready(this.deny.finish(result, permit, context));
                }
            }
        }
    }
}

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
            State::Before { stage, .. } => stage.name(),
            State::Calling { .. } => "Calling",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
