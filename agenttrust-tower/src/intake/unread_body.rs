//! What is left of a request's body where its answer did not wait for it.
//!
//! A client that sends until it is done reads no answer before, and closing a connection with bytes unread takes its
//! last answer away from it. What becomes of an answer on a stream of HTTP/2 that is given up depends on the client. So
//! a body is read away before the answer, after which its connection is used on. Where there is more of it than that,
//! an answer over HTTP/1 says that the connection ends with it, and the rest is read away behind the answer.

use std::pin::Pin;
use std::time::Duration;

use agenttrust::background;
use bytes::Buf;
use http::header::EXPECT;
use http::request::Parts;
use http::{Request, Version};
use http_body::Body;
use http_body_util::BodyExt;

/// The largest part of a body that is read away.
#[derive(Clone, Copy, Debug)]
struct Most {
    bytes: usize,
    within: Duration,
    /// The longest time that the body may be silent.
    silent: Duration,
}

/// A client of HTTP/2 that hears early that it need not send on may end its stream short of what it announced, which is
/// an error that can take the answer away: nearly all bodies come to their end before it.
const BEFORE: Most =
    Most { bytes: 64 << 20, within: Duration::from_secs(5), silent: Duration::from_millis(500) };
const BEHIND: Most =
    Most { bytes: 64 << 20, within: Duration::from_secs(30), silent: Duration::from_secs(5) };

/// The result of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    ToItsEnd,
    BrokeOff,
    /// The limit is reached, and there is more of the body, or may be.
    Enough,
}

impl Most {
    async fn read<B: Body + Unpin>(self, body: &mut B) -> Read {
        let reading = async {
            let mut left = self.bytes;
            loop {
                let frame = match background::timeout(self.silent, body.frame()).await {
                    Ok(Some(Ok(frame))) => frame,
                    Ok(Some(Err(_))) => return Read::BrokeOff,
                    Ok(None) => return Read::ToItsEnd,
                    Err(_) => return Read::Enough,
                };
                let length = frame.data_ref().map_or(0, Buf::remaining);
                let Some(rest) = left.checked_sub(length) else { return Read::Enough };
                left = rest;
            }
        };
        background::timeout(self.within, reading).await.unwrap_or(Read::Enough)
    }
}

/// A request that is turned away, until its answer may be sent; whether its connection ends with that.
pub(crate) type Leaving = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Takes leave of a request that is answered unread. `None` where nothing of it is left.
pub(crate) fn leave<B>(request: Request<B>) -> Option<Leaving>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let (head, body) = request.into_parts();
    (!body.is_end_stream()).then(|| Box::pin(turn_away(head, body)) as Leaving)
}

async fn turn_away<B>(head: Parts, body: B) -> bool
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    ends_with(&head, Box::pin(body)).await
}

/// Reads away the body of a request that is answered unread; returns whether its connection ends with the answer.
pub(crate) async fn ends_with<B>(head: &Parts, body: B) -> bool
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    // Whoever asks before sending a body need not send one that is refused.
    let was_read = !expects(head) && read_away(body).await;
    !was_read && !is_multiplexed(head)
}

/// Reads away what is left of a body, for as long as an answer may wait; returns whether that was all of it. The rest
/// is read in the background.
pub async fn read_away<B>(mut body: B) -> bool
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    let is_more = body.size_hint().lower() > BEFORE.bytes as u64;
    let read = if is_more { Read::Enough } else { BEFORE.read(&mut body).await };
    if read == Read::Enough {
        read_behind(body);
    }
    read == Read::ToItsEnd
}

/// Reads away what is left of a body behind its answer.
pub(crate) fn read_behind<B>(mut body: B)
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
{
    background::spawn(async move { BEHIND.read(&mut body).await });
}

/// Returns whether the sender waits to be asked for the body.
fn expects(head: &Parts) -> bool {
    head.headers.contains_key(EXPECT)
}

/// Returns whether the connection goes on whatever becomes of one body.
pub(crate) fn is_multiplexed(head: &Parts) -> bool {
    head.version > Version::HTTP_11
}
