//! The one box of a call: an answer on its way, and how long a ready service waits for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use agenttrust::background;
use pin_project_lite::pin_project;

/// How long the inner service's readiness is kept for an answer: longer than a check takes, shorter
/// than anybody notices that a limit inside the guard has a slot less. An approval takes minutes.
const PATIENCE: Duration = Duration::from_millis(200);

/// The answer was not there within the time that a ready service is kept for it.
pub(crate) struct TakesLong;

/// An answer on its way.
pub(crate) type Asking<A> = Pin<Box<dyn Ask<A> + Send>>;

pub(crate) trait Ask<A> {
    /// The answer, or that it takes long. Not to be polled again once it said so.
    fn poll_soon(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A, TakesLong>>;

    /// The answer, however long it takes.
    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A>;
}

pub(crate) fn ask<F>(answer: F) -> Asking<F::Output>
where
    F: Future + Send + 'static,
{
    // Any runtime may poll it, one without timers too.
    Box::pin(Patient { answer, patience: background::sleep(PATIENCE) })
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

impl<F, P> Ask<F::Output> for Patient<F, P>
where
    F: Future,
    P: Future<Output = ()>,
{
    fn poll_soon(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F::Output, TakesLong>> {
        let this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        ready!(this.patience.poll(cx));
        Poll::Ready(Err(TakesLong))
    }

    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(cx)
    }
}
