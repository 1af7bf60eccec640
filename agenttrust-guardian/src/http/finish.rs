//! What a request began to change is finished, also when its caller hangs up.
//!
//! A caller that gives up drops the handler's future wherever it happens to be. That may be between the database and
//! memory, or after an approval was used and before the answer was kept for its idempotency key. So the rest of a
//! request that changes something moves to the background runtime. One that has changed nothing yet, because its body
//! is still on the way say, is simply dropped, and so is a `GET`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use agenttrust::background;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

/// Whether a request has begun to change something.
///
/// One without a body has from the first; one with a body, when that is read whole. A handler that only
/// looks at first takes its body `.unbegun()`, and says itself when it begins.
#[derive(Clone, Debug)]
pub(super) struct Finish(Arc<AtomicBool>);

impl Finish {
    fn begun() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Says that from here on something may change: what comes is finished, also when the caller is gone.
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Says that nothing changes before `begin`.
    pub(super) fn not_yet(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Finish {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(Self::begun))
    }
}

/// Returns the middleware.
pub(super) async fn finish(mut request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let finish = Finish::begun();
    request.extensions_mut().insert(finish.clone());
    Finishing { rest: Some(Box::pin(next.run(request))), finish }.await
}

/// A future that goes on elsewhere when it is dropped before its end and has begun to change something.
struct Finishing<T: Send + 'static> {
    rest: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    finish: Finish,
}

impl<T: Send + 'static> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(rest) = self.rest.as_mut() else {
            return Poll::Pending;
        };
        let done = rest.as_mut().poll(cx);
        if done.is_ready() {
            self.rest = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        // While this thread panics, the rest may be what panicked.
        if let Some(rest) = self.rest.take()
            && self.finish.has_begun()
            && !std::thread::panicking()
        {
            background::spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Drops a request while it sleeps, and returns whether it came to its end all the same.
    fn comes_to_its_end(finish: Finish) -> bool {
        let (done, finished) = mpsc::channel();
        let rest = Box::pin(async move {
            background::sleep(Duration::from_millis(20)).await;
            done.send(()).unwrap();
        });
        let mut finishing = Finishing { rest: Some(rest), finish };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut finishing).poll(&mut cx).is_pending());
        drop(finishing);
        finished.recv_timeout(Duration::from_secs(5)).is_ok()
    }

    #[test]
    fn dropped_request_runs_to_its_end() {
        assert!(comes_to_its_end(Finish::begun()));
    }

    #[test]
    fn request_that_has_changed_nothing_yet_is_dropped_with_its_caller() {
        let finish = Finish::begun();
        finish.not_yet();
        assert!(!comes_to_its_end(finish.clone()));
        finish.begin();
        assert!(comes_to_its_end(finish));
    }
}
