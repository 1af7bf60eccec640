//! The rest of a request's body that its answer did not wait for: an endpoint that takes none, a caller that is turned away
//! before it is read.
//!
//! On HTTP/1 the next request on the connection stands behind it. What is there is read and thrown away; where it is
//! more than a little, the answer says that the connection ends with it, so that no caller sends another request into one
//! that is being closed. HTTP/2 needs none of this: there each request is a stream of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use agenttrust::background;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Version};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::admit::InProcess;

/// How long the rest may be for the connection to be used on.
const MOST: u64 = 64 << 10;
/// How much of an unwanted body is read at most, and how long it is waited for. A caller that still sends when its connection
/// is closed may lose its answer.
const READ_MOST: u64 = 4 << 20;
const PATIENCE: Duration = Duration::from_millis(500);

/// What is left of a body, once the answer is there.
pub(super) struct Rest {
    kept: Arc<Mutex<Kept>>,
    /// Its sender sends nothing before it is told to go on.
    waits: bool,
}

impl Rest {
    /// Keeps hold of the body of a request, where its connection is used again after it.
    pub(super) fn of(request: Request) -> (Request, Option<Self>) {
        let is_own = request.extensions().get::<InProcess>().is_some();
        if is_own || request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
            return (request, None);
        }
        let waits = request.headers().contains_key(EXPECT);
        let (parts, body) = request.into_parts();
        let kept = Arc::new(Mutex::new(Kept { body, begun: false, ended: false }));
        let body = Body::new(Shared(Arc::clone(&kept)));
        (Request::from_parts(parts, body), Some(Self { kept, waits }))
    }

    /// Reads the rest away, or has the answer say that the connection ends with it.
    pub(super) async fn settle(self, response: &mut Response) {
        if !read(self).await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Reads what is left of a body, if that is little; whether it is at its end then.
async fn read(rest: Rest) -> bool {
    let is_over = lock(&rest.kept).is_over();
    if is_over {
        return true;
    }
    // Somebody may still read it.
    let Some(kept) = Arc::into_inner(rest.kept) else { return false };
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sends_nothing = rest.waits && !kept.begun;
    if sends_nothing || kept.body.size_hint().lower() > READ_MOST {
        return false;
    }
    let length = background::timeout(PATIENCE, to_its_end(kept.body)).await;
    length.ok().flatten().is_some_and(|length| length <= MOST)
}

/// Reads a body to its end, and returns how long it was, if it is not longer than is read.
async fn to_its_end(mut body: Body) -> Option<u64> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.ok()?.data_ref().map_or(0, |data| data.len() as u64);
        if length > READ_MOST {
            return None;
        }
    }
    Some(length)
}

struct Kept {
    body: Body,
    /// Somebody has begun to read it.
    begun: bool,
    ended: bool,
}

impl Kept {
    fn is_over(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body as those inside see it.
struct Shared(Arc<Mutex<Kept>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut kept = lock(&self.0);
        kept.begun = true;
        let frame = Pin::new(&mut kept.body).poll_frame(cx);
        kept.ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).is_over()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}
