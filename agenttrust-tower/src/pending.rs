//! The one boxed future of a call: its pending answer, and how long a ready service is kept for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use agenttrust::background;
use pin_project_lite::pin_project;

/// The time that the inner service's readiness is kept for an answer: longer than a check takes,
/// and so short that a limit inside the guard hardly misses the slot. An approval takes minutes.
const READY_TIMEOUT: Duration = Duration::from_millis(200);

/// An answer that did not come within [`READY_TIMEOUT`].
pub(crate) struct StillPending;

/// A boxed future of an answer, with the time that a ready service is kept for it.
pub(crate) type PendingAnswer<A> = Pin<Box<dyn PollAnswer<A> + Send>>;

pub(crate) trait PollAnswer<A> {
    /// Returns the answer, or [`StillPending`] after [`READY_TIMEOUT`]. After that, only
    /// [`poll_answer`](Self::poll_answer) may be polled.
    fn poll_while_ready(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<A, StillPending>>;

    /// Returns the answer, however long it takes.
    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A>;
}

/// Boxes a future as a pending answer.
pub(crate) fn pending_answer<F>(answer: F) -> PendingAnswer<F::Output>
where
    F: Future + Send + 'static,
{
    // Any runtime may poll it, one without timers too.
    Box::pin(TimedAnswer { answer, ready_timeout: background::sleep(READY_TIMEOUT) })
}

pin_project! {
    // Together in one allocation.
    struct TimedAnswer<A, P> {
        #[pin]
        answer: A,
        #[pin]
        ready_timeout: P,
    }
}

impl<F, P> PollAnswer<F::Output> for TimedAnswer<F, P>
where
    F: Future,
    P: Future<Output = ()>,
{
    fn poll_while_ready(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, StillPending>> {
        let this = self.project();
        if let Poll::Ready(answer) = this.answer.poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        ready!(this.ready_timeout.poll(cx));
        Poll::Ready(Err(StillPending))
    }

    fn poll_answer(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(cx)
    }
}
