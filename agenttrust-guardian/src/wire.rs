//! How answers of the faces that speak JSON-RPC are written: one message, and a stream of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};

/// The number of bytes that are handed on at once. A connection takes the next piece when it has written most of the
/// one before.
pub(crate) const PIECE: usize = 64 << 10;

/// Returns a message of JSON-RPC as an answer.
pub(crate) fn json(status: StatusCode, text: String) -> Response {
    json_of(status, Body::from(text))
}

/// Returns a message of JSON-RPC as an answer that holds something until its last piece was taken.
pub(crate) fn held_json<H: Send + Unpin + 'static>(
    status: StatusCode,
    text: String,
    held: H,
) -> Response {
    json_of(status, in_pieces(text.into(), held))
}

fn json_of(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns a stream of events as an answer.
pub(crate) fn events(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back until it has enough of them.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Returns a body of these bytes that is handed on piece by piece, and holds something until its last piece was taken.
pub(crate) fn in_pieces<H: Send + Unpin + 'static>(bytes: Bytes, held: H) -> Body {
    Body::new(Pieces { bytes, _held: held })
}

/// Takes the next piece off these bytes, if any are left. A copy: a slice would keep all of them in memory.
pub(crate) fn piece(bytes: &mut Bytes) -> Option<Bytes> {
    let piece = bytes.split_to(bytes.len().min(PIECE));
    (!piece.is_empty()).then(|| Bytes::copy_from_slice(&piece))
}

struct Pieces<H> {
    bytes: Bytes,
    _held: H,
}

impl<H: Send + Unpin> HttpBody for Pieces<H> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(piece(&mut self.bytes).map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
