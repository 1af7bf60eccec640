//! The rest of a request's body that its answer did not wait for: an endpoint that takes none, a caller that is turned
//! away before it is read.
//!
//! It is read away before the answer, so that its client gets to read that and its connection is used on. If there is
//! more of it than an answer waits for, an answer over HTTP/1 says that the connection ends with it. So no caller sends
//! another request into a connection that is being closed. The rest is read away behind the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use agenttrust_tower::internal::read_away;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Version};
use axum::response::Response;
use http_body::{Frame, SizeHint};

use super::admit::InProcess;

/// The rest of a body that is still unread once the answer is there.
pub(super) struct UnreadBody {
    kept: Arc<Mutex<Kept>>,
    /// Its connection goes on whatever becomes of one body.
    is_multiplexed: bool,
    /// Its sender sends nothing before it is told to go on.
    waits: bool,
}

impl UnreadBody {
    /// Keeps hold of the body of a request that came over a connection.
    pub(super) fn of(request: Request) -> (Request, Option<Self>) {
        let is_own = request.extensions().get::<InProcess>().is_some();
        if is_own || request.body().is_end_stream() {
            return (request, None);
        }
        let is_multiplexed = request.version() >= Version::HTTP_2;
        let waits = request.headers().contains_key(EXPECT);
        let (parts, body) = request.into_parts();
        let kept = Arc::new(Mutex::new(Kept { body, begun: false, ended: false }));
        let body = Body::new(Shared(Arc::clone(&kept)));
        (Request::from_parts(parts, body), Some(Self { kept, is_multiplexed, waits }))
    }

    /// Reads the rest away, or has the answer say that the connection ends with it.
    pub(super) async fn settle(self, response: &mut Response) {
        let is_multiplexed = self.is_multiplexed;
        if !read(self).await && !is_multiplexed {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Reads what is left of a body; whether it is at its end then.
async fn read(rest: UnreadBody) -> bool {
    let is_over = lock(&rest.kept).is_over();
    if is_over {
        return true;
    }
    // Somebody may still read it.
    let Some(kept) = Arc::into_inner(rest.kept) else { return false };
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sends_nothing = rest.waits && !kept.begun;
    !sends_nothing && read_away(kept.body).await
}

struct Kept {
    body: Body,
    /// Whether a reader has begun to read it.
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
