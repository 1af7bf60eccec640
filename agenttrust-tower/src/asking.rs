//! The one box of a call: the guard's answer on its way, and how long a ready service waits for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use agenttrust::__private::background;
use agenttrust::{Action, AgentTrustError, AgentTrustGuard, Permit};
use pin_project_lite::pin_project;

/// How long the inner service's readiness is kept for an answer: longer than a check takes, shorter
/// than anybody notices that a limit inside the guard has a slot less. An approval takes minutes.
const PATIENCE: Duration = Duration::from_millis(200);

pub(crate) type Answer = Result<Permit, AgentTrustError>;

/// The answer was not there within the time that a ready service is kept for it.
pub(crate) struct TakesLong;

/// The guard's answer on its way.
pub(crate) type Asking = Pin<Box<dyn Ask + Send>>;

pub(crate) trait Ask {
    /// The answer, or that it takes long. Not to be polled again once it said so.
    fn poll_soon(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Answer, TakesLong>>;

    /// The answer, however long it takes.
    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer>;
}

pub(crate) fn ask(guard: AgentTrustGuard, action: Action) -> Asking {
    Box::pin(Patient {
        answer: async move { guard.authorize(action).await },
        // Any runtime may poll it, one without timers too.
        patience: background::sleep(PATIENCE),
    })
}

pin_project! {
    // Together in one allocation.
    struct Patient<A, P> {
        #[pin]
        answer: A,
        #[pin]
        patience: P,
    }
}

impl<A, P> Ask for Patient<A, P>
where
    A: Future<Output = Answer>,
    P: Future<Output = ()>,
{
    fn poll_soon(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Answer, TakesLong>> {
        let this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        ready!(this.patience.poll(cx));
        Poll::Ready(Err(TakesLong))
    }

    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        self.project().answer.poll(cx)
    }
}
