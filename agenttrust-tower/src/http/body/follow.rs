//! [`FollowBody`]: putting a permit into a body without making another type of it.

use std::fmt;

use agenttrust::{CallOutcome, Permit};
use bytes::Bytes;
use http_body::Body;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{Empty, Full};

use super::ReportingBody;
use crate::judge::Judge;

/// Bodies whose end is reported, whatever that end is.
///
/// A streaming answer (server-sent events, a gRPC stream, a download) is a call that goes on after its
/// head is there. So a guarded service's body takes the permit along, and the call is reported when
/// the body ends, fails or is dropped, with the time to that point.
///
/// axum's and tonic's `Body`, `BoxBody` and `UnsyncBoxBody` can hold any body, so they hold the followed
/// one; `Full`, `Empty` and `String` are over when they are there. For a body type of your own, wrap
/// what is in it:
///
/// ```
/// use agenttrust_tower::http::{FollowBody, Following};
/// use bytes::Bytes;
/// use http_body_util::combinators::UnsyncBoxBody;
///
/// struct MyBody(UnsyncBoxBody<Bytes, std::io::Error>);
///
/// impl FollowBody for MyBody {
///     fn follow(self, following: Following) -> Self {
///         Self(self.0.follow(following))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the end of a `{Self}` cannot be reported",
    label = "a guarded service cannot answer with this body",
    note = "make it a body that can hold any other, inside of the guard: `.map_response(|response| response.map(UnsyncBoxBody::new))`, or axum's or tonic's `Body::new`",
    note = "or implement `FollowBody` for a body type of your own",
    note = "tonic's `Body` needs the feature `tonic` of `agenttrust-tower`; axum's needs none, and its route templates need the feature `axum`, which is on by default"
)]
pub trait FollowBody: Sized {
    /// Returns the same body, which tells `following` what passes through it and how it ends.
    fn follow(self, following: Following) -> Self;
}

/// A follower of a body: the permit of its call, and the way to judge it.
///
/// Dropped, it reports the call as `Cancelled`.
#[must_use = "dropped, the call is reported as cancelled"]
pub struct Following {
    /// None of a stream that is listened to for the answers of other calls.
    permit: Option<Permit>,
    judge: Judge,
    /// The length of the body by its head: no reader may ask for more after so much.
    expected: Option<u64>,
}

impl Following {
    pub(crate) fn new(permit: Permit, judge: Judge, expected: Option<u64>) -> Self {
        Self { permit: Some(permit), judge, expected }
    }

    /// Follows a stream that is no call.
    #[cfg(feature = "mcp-http")]
    pub(crate) fn listening(judge: Judge) -> Self {
        Self { permit: None, judge, expected: None }
    }

    /// Wraps a body, so that its end is reported.
    ///
    /// A body that is over already is reported at once.
    pub fn wrap<B: Body<Data = Bytes>>(self, body: B) -> ReportingBody<B> {
        ReportingBody::new(body, self)
    }

    /// Reports the call now: its body is whole, and this is all of it.
    pub fn whole(mut self, body: &[u8]) {
        self.judge.data(body);
        self.end();
    }

    /// Returns how many bytes there are, by the head or by the body itself, where the last of them is the last
    /// that can be said.
    pub(super) fn expected(&self, exact: Option<u64>) -> Option<u64> {
        self.expected.or(exact).filter(|_| self.judge.ends_with_data())
    }

    pub(super) fn judge(&mut self) -> &mut Judge {
        &mut self.judge
    }

    pub(super) fn end(self) {
        if let Some(permit) = self.permit {
            self.judge.finish(permit);
        }
    }

    /// Reports that the body broke off, which goes before whatever the handler had said by then.
    pub(super) fn fail(self, outcome: CallOutcome) {
        if let Some(permit) = self.permit {
            permit.broke_off(outcome);
        }
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following").field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl<E: 'static> FollowBody for UnsyncBoxBody<Bytes, E> {
    fn follow(self, following: Following) -> Self {
        Self::new(following.wrap(self))
    }
}

impl<E: 'static> FollowBody for BoxBody<Bytes, E> {
    fn follow(self, following: Following) -> Self {
        Self::new(following.wrap(self))
    }
}

impl FollowBody for axum_core::body::Body {
    fn follow(self, following: Following) -> Self {
        Self::new(following.wrap(self))
    }
}

#[cfg(feature = "tonic")]
impl FollowBody for tonic::body::Body {
    fn follow(self, following: Following) -> Self {
        Self::new(following.wrap(self))
    }
}

impl FollowBody for Full<Bytes> {
    fn follow(mut self, following: Following) -> Self {
        // It is there already: taking it out and putting it back waits for nothing.
        let mut whole = Bytes::new();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Some(Ok(frame))) =
            std::pin::Pin::new(&mut self).poll_frame(&mut context)
        {
            if let Ok(data) = frame.into_data() {
                whole = data;
            }
        }
        following.whole(&whole);
        Self::new(whole)
    }
}

impl FollowBody for Empty<Bytes> {
    fn follow(self, following: Following) -> Self {
        following.whole(&[]);
        self
    }
}

impl FollowBody for String {
    fn follow(self, following: Following) -> Self {
        following.whole(self.as_bytes());
        self
    }
}
