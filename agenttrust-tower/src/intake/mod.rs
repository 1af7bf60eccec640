//! Taking in the body of a request: up to a limit, and for no longer than it may take.
//!
//! Every layer that looks into a body does it here: what is kept, thrown away and waited for is said
//! once.

mod buffered;
mod exact;

use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use agenttrust::background;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Version};
use http_body::Body;
use http_body_util::BodyExt;

pub use self::buffered::{Buffered, FromBuffered};
pub(crate) use self::exact::{described, exact};
use crate::{Unread, UnreadReason};

/// How much of a body that is refused is read and thrown away, so that the connection can be used again.
const THROWN_AWAY: usize = 16 * 1024 * 1024;

/// How long a body may be, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub(crate) limit: usize,
    pub(crate) within: Duration,
}

/// A body that was taken in.
#[derive(Debug)]
pub struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// The whole body; `enough` stops the reading of one that can be nothing any more.
pub(crate) async fn take_in<B: Body>(
    head: &Parts,
    body: B,
    bounds: Bounds,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Whole, Unread> {
    let Bounds { limit, within } = bounds;
    let too_long = announced(&head.headers).is_some_and(|length| length > limit);
    // Whoever asks before sending a body need not send one that is refused.
    if too_long && (expects(head) || is_multiplexed(head)) {
        return Err(Unread::new(UnreadReason::TooLong(limit), !is_multiplexed(head)));
    }
    let begun = Instant::now();
    let mut body = pin!(body);
    let kept = if too_long {
        Ok(Ok(Kept::TooLong))
    } else {
        background::timeout(within, keep(body.as_mut(), limit, enough)).await
    };
    let (reason, closes) = match kept {
        Ok(Ok(Kept::Whole(whole))) => return Ok(whole),
        Ok(Ok(Kept::TooLong)) => {
            let left = within.saturating_sub(begun.elapsed());
            (UnreadReason::TooLong(limit), throw_away(head, body, left).await)
        }
        Ok(Ok(Kept::Enough)) => (UnreadReason::NotOneMessage, !is_multiplexed(head)),
        // What went wrong on the way is the sender's to know, not ours to tell.
        Ok(Err(BrokeOff)) => (UnreadReason::BrokeOff, !is_multiplexed(head)),
        Err(_) => (UnreadReason::TooLate(within), !is_multiplexed(head)),
    };
    Err(Unread::new(reason, closes))
}

/// Takes the body of a request out of its connection that is refused by its head alone; returns whether the
/// connection has to be closed all the same.
#[cfg(feature = "mcp-http")]
pub(crate) async fn turn_away<B: Body>(head: &Parts, body: B, within: Duration) -> bool {
    // Whoever asks before sending a body need not send one that is refused.
    if expects(head) { !is_multiplexed(head) } else { throw_away(head, body, within).await }
}

/// Reads what is left of a body, and keeps nothing; returns whether its connection has to be closed all the
/// same.
async fn throw_away<B: Body>(head: &Parts, body: B, within: Duration) -> bool {
    // From HTTP/2 on, a body that is not read is in nobody's way.
    if is_multiplexed(head) {
        return false;
    }
    !matches!(background::timeout(within, reaches_its_end(body)).await, Ok(true))
}

/// Whether the sender waits to be asked for the body.
fn expects(head: &Parts) -> bool {
    head.headers.contains_key(EXPECT)
}

/// Whether the connection goes on whatever becomes of one body.
fn is_multiplexed(head: &Parts) -> bool {
    head.version > Version::HTTP_11
}

/// How long the head says that the body is.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What became of a body.
enum Kept {
    Whole(Whole),
    TooLong,
    Enough,
}

struct BrokeOff;

async fn keep<B: Body>(
    mut body: Pin<&mut B>,
    limit: usize,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Kept, BrokeOff> {
    let mut bytes = BytesMut::new();
    let mut trailers: Option<HeaderMap> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BrokeOff)?;
        match frame.into_data() {
            Ok(data) if data.remaining() > limit.saturating_sub(bytes.len()) => {
                return Ok(Kept::TooLong);
            }
            Ok(data) => {
                bytes.extend_from_slice(&whole_piece(data));
                if enough(&bytes) {
                    return Ok(Kept::Enough);
                }
            }
            Err(frame) => {
                if let Ok(more) = frame.into_trailers() {
                    trailers.get_or_insert_default().extend(more);
                }
            }
        }
    }
    Ok(Kept::Whole(Whole { bytes: bytes.freeze(), trailers }))
}

fn whole_piece(mut data: impl Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

async fn reaches_its_end<B: Body>(body: B) -> bool {
    let mut body = pin!(body);
    let mut seen: usize = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        seen = seen.saturating_add(frame.data_ref().map_or(0, Buf::remaining));
        if seen > THROWN_AWAY {
            return false;
        }
    }
    true
}
