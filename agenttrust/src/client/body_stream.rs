//! The body of an answer that is read piece by piece: from whatever runtime, and not for ever while it is
//! silent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::request::Opened;
use crate::background;
use crate::error::Result;
use crate::transport::{TransportBody, TransportError};

/// A body as it comes in.
pub(super) struct BodyStream {
    headers: HeaderMap,
    /// `None` once it is over.
    body: Option<TransportBody>,
    idle: Duration,
    /// Runs while nothing comes.
    silence: Option<Pin<Box<Sleep>>>,
}

impl BodyStream {
    /// Waits for a 2xx answer, whose body may be silent for `idle`.
    pub(super) async fn open(
        asking: impl Future<Output = Result<Opened>> + Send + 'static,
        idle: Duration,
    ) -> Result<Self> {
        // On the background runtime: the connection is driven by the runtime that opened it, and the
        // caller's may be idle, or gone, while somebody still reads.
        let Opened { headers, body } = Opening(background::spawn(asking)).await?;
        Ok(Self { headers, body: Some(body), idle, silence: None })
    }

    /// Returns the headers that it came with.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the next piece; `None` when the body is over, as it is after an error.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportError>>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            let error = match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.silence = None;
                    match frame.into_data() {
                        Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                        Err(_trailers) => continue,
                    }
                }
                Poll::Ready(Some(Err(error))) => error,
                Poll::Ready(None) => {
                    self.end();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let idle = self.idle;
                    let silence =
                        self.silence.get_or_insert_with(|| Box::pin(background::sleep(idle)));
                    ready!(silence.as_mut().poll(cx));
                    TransportError::classify(background::Elapsed(idle).into())
                }
            };
            self.end();
            return Poll::Ready(Some(Err(error)));
        }
    }

    /// Lets go of the connection.
    pub(super) fn end(&mut self) {
        self.body = None;
        self.silence = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.body.is_none()
    }
}

/// The opening of the body on the background runtime, which ends when no caller waits for it any more.
struct Opening(JoinHandle<Result<Opened>>);

impl Future for Opening {
    type Output = Result<Opened>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(done.unwrap_or_else(|panic| Err(TransportError::classify(panic.into()).into())))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.abort();
    }
}
