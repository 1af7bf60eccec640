//! What a request began is finished, also when its caller hangs up.
//!
//! A caller that gives up drops the handler's future wherever it happens to be: between the database
//! and memory, say, or after an approval was used and before the answer was kept for its idempotency
//! key. So the rest of a request that changes something moves to the background runtime. A `GET`
//! changes nothing and may wait for a minute; it is simply dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use agenttrust::__private::background;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

/// The middleware.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    Finishing(Some(Box::pin(next.run(request)))).await
}

/// A future that goes on elsewhere when it is dropped before its end.
struct Finishing<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(rest) = self.0.as_mut() else {
            return Poll::Pending;
        };
        let done = rest.as_mut().poll(cx);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        // While this thread panics, the rest may be what panicked.
        if let Some(rest) = self.0.take()
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

    #[test]
    fn dropped_request_runs_to_its_end() {
        let (done, finished) = mpsc::channel();
        let mut finishing = Finishing(Some(Box::pin(async move {
            background::sleep(Duration::from_millis(20)).await;
            done.send(()).unwrap();
        })));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut finishing).poll(&mut cx).is_pending());
        drop(finishing);
        finished.recv_timeout(Duration::from_secs(5)).unwrap();
    }
}
