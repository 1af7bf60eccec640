//! [`Buffered`]: a body that was read whole, on its way to the inner service.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

use super::Whole;

/// The body of a request that a layer has read: its very bytes, and its trailers where it had some.
#[derive(Clone, Debug, Default)]
pub struct Buffered {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

impl Buffered {
    /// Returns the bytes that are still to be read.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the trailers that are still to be read.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

impl From<Whole> for Buffered {
    fn from(Whole { bytes, trailers }: Whole) -> Self {
        Self { bytes, trailers }
    }
}

impl Body for Buffered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.bytes)))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Bodies that can be made again from one that was read whole.
///
/// A layer that binds bodies reads them before it asks, and hands on what it has read. axum's and tonic's
/// `Body`, `BoxBody` and `UnsyncBoxBody` hold all of it; `Full` has no place for trailers and drops them.
/// For a body type of your own, wrap what is in it:
///
/// ```
/// use agenttrust_tower::http::{Buffered, FromBuffered};
/// use bytes::Bytes;
/// use http_body_util::combinators::UnsyncBoxBody;
///
/// struct MyBody(UnsyncBoxBody<Bytes, std::io::Error>);
///
/// impl FromBuffered for MyBody {
///     fn from_buffered(buffered: Buffered) -> Self {
///         Self(UnsyncBoxBody::from_buffered(buffered))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be made from the bytes that were read",
    label = "a layer that binds bodies cannot hand this one on",
    note = "make it a body that can hold any other, outside of the guard: `.map_request(|request: http::Request<_>| request.map(UnsyncBoxBody::new))`, or axum's or tonic's `Body::new`",
    note = "or implement `FromBuffered` for a body type of your own"
)]
pub trait FromBuffered {
    /// Makes the body that holds `buffered` and nothing else.
    fn from_buffered(buffered: Buffered) -> Self;
}

impl<E: 'static> FromBuffered for UnsyncBoxBody<Bytes, E> {
    fn from_buffered(buffered: Buffered) -> Self {
        buffered.map_err(|never| match never {}).boxed_unsync()
    }
}

impl<E: 'static> FromBuffered for BoxBody<Bytes, E> {
    fn from_buffered(buffered: Buffered) -> Self {
        buffered.map_err(|never| match never {}).boxed()
    }
}

impl FromBuffered for axum_core::body::Body {
    fn from_buffered(buffered: Buffered) -> Self {
        Self::new(buffered)
    }
}

#[cfg(feature = "tonic")]
impl FromBuffered for tonic::body::Body {
    fn from_buffered(buffered: Buffered) -> Self {
        Self::new(buffered)
    }
}

impl FromBuffered for Full<Bytes> {
    fn from_buffered(buffered: Buffered) -> Self {
        Self::new(buffered.bytes)
    }
}
