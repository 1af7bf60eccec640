//! [`ReportingBody`]: a body that tells how it went.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use agenttrust::{CallOutcome, Outcome};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::Following;

pin_project! {
    /// A body whose end, error or drop is reported with the permit that it holds.
    ///
    /// Frames, trailers, size hint and end pass through as they are.
    pub struct ReportingBody<B> {
        // In this order: the body is dropped before the permit reports that it was.
        #[pin]
        body: B,
        following: Option<Following>,
        // Bytes that are still to come, where the head says how many there are.
        left: Option<u64>,
    }
}

impl<B: Body<Data = Bytes>> ReportingBody<B> {
    pub(super) fn new(body: B, following: Following) -> Self {
        let left = following.expected(body.size_hint().exact());
        let mut followed = Self { body, following: Some(following), left };
        if followed.body.is_end_stream() || followed.left == Some(0) {
            end(&mut followed.following);
        }
        followed
    }
}

/// Returns the type of an error, as it is reported.
fn class_of<E>(error: &E) -> CallOutcome {
    Err::<(), &E>(error).outcome()
}

fn end(following: &mut Option<Following>) {
    if let Some(following) = following.take() {
        following.end();
    }
}

impl<B: Body<Data = Bytes>> Body for ReportingBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        // In hand while the body is polled: a panic in there is reported as one.
        let mut in_hand = this.following.take();
        let polled = this.body.as_mut().poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => end(&mut in_hand),
            Poll::Ready(Some(Err(error))) => {
                if let Some(following) = in_hand.take() {
                    following.fail(class_of(error));
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                let mut over = false;
                if let Some(following) = &mut in_hand {
                    if let Some(data) = frame.data_ref() {
                        over = following.judge().data(data);
                        let length = data.len() as u64;
                        *this.left = this.left.map(|left| left.saturating_sub(length));
                    } else if let Some(trailers) = frame.trailers_ref() {
                        following.judge().trailers(trailers);
                        // Nothing comes after them, and hyper does not ask whether anything does.
                        over = true;
                    }
                }
                // Whoever sends the body may not ask again once it has what it knows to be all.
                if over || *this.left == Some(0) || this.body.is_end_stream() {
                    end(&mut in_hand);
                }
            }
        }
        *this.following = in_hand;
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for ReportingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportingBody").field("body", &self.body).finish_non_exhaustive()
    }
}
