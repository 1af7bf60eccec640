//! The one background runtime: timers, deadlines, reports and blocking calls live here.
//!
//! Nothing of ours may die with a caller's runtime, and a caller's runtime may have no timers, or be
//! blocked by the very call that waits. So there is one small runtime of our own, started on first
//! use and never stopped.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

thread_local! {
    static IS_BACKGROUND: Cell<bool> = const { Cell::new(false) };
}

/// Returns the handle of the background runtime.
///
/// # Panics
///
/// When the operating system refuses to start two threads. Nothing that is guarded has run by then.
#[must_use]
pub fn handle() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "without threads nothing can be checked: fail closed")]
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("agenttrust")
                .on_thread_start(|| IS_BACKGROUND.set(true))
                .enable_all()
                .build()
                .expect("the operating system refused to start agenttrust's background threads")
        })
        .handle()
}

/// Runs `future` on the background runtime; awaiting the answer works on any runtime.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    handle().spawn(future)
}

/// Returns a timer that may be polled from any runtime, or from none.
pub fn sleep(duration: Duration) -> Sleep {
    let _context = handle().enter();
    tokio::time::sleep(duration)
}

/// Returns whether this thread is one of the background runtime's own.
#[must_use]
pub fn is_background_thread() -> bool {
    IS_BACKGROUND.get()
}

/// The reason why a blocking call could not wait for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The caller is on a thread that would have to produce the answer.
    #[error(
        "a blocking call from agenttrust's own background thread would wait for itself; \
         use the async form here"
    )]
    OnBackgroundThread,
    /// The work panicked.
    #[error("the background task of this call panicked; the panic was printed where it happened")]
    Panicked,
}

/// Runs `future` on the background runtime and parks this thread until it is done.
///
/// # Errors
///
/// [`BlockError`] when this thread must not wait, or when the work panicked.
pub fn block_on<F>(future: F) -> Result<F::Output, BlockError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_background_thread() {
        return Err(BlockError::OnBackgroundThread);
    }
    let (answer, answered) = mpsc::sync_channel(1);
    spawn(async move {
        let output = future.await;
        // The receiver is parked below until this arrives, so it cannot be gone.
        let _ = answer.send(output);
    });
    answered.recv().map_err(|_| BlockError::Panicked)
}

/// Gives `future` at most `limit`, measured from the first poll.
///
/// A future that is ready at once never touches a timer.
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, limit, sleep: None }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        limit: Duration,
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl<F> std::fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {0:?}")]
pub struct Elapsed(pub Duration);

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let limit = *this.limit;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(Elapsed(limit)))
    }
}
