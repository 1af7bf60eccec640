//! Taking in the body of a request: up to a limit, and for no longer than it may take.
//!
//! Every layer that looks into a body does it here: what is kept, thrown away and waited for is said
//! once.

mod buffered;
mod exact;
pub(crate) mod unread_body;

use std::pin::Pin;
use std::time::Duration;

use agenttrust::background;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt;

pub use self::buffered::{Buffered, FromBuffered};
pub(crate) use self::exact::{described, exact};
use self::unread_body::{ends_with, is_multiplexed, read_away, read_behind};
use crate::{Unread, UnreadReason};

/// The greatest length of a body, and the time that it may take.
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

/// Returns the whole body; `enough` stops the reading of one that can be nothing any more.
pub(crate) async fn take_in<B>(
    head: &Parts,
    body: B,
    bounds: Bounds,
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Whole, Unread>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let Bounds { limit, within } = bounds;
    let mut body = Box::pin(body);
    if announced(&head.headers).is_some_and(|length| length > limit) {
        return Err(Unread::new(UnreadReason::TooLong(limit), ends_with(head, body).await));
    }
    let kept = background::timeout(within, keep(body.as_mut(), limit, enough)).await;
    let reason = match kept {
        Ok(Ok(Kept::Whole(whole))) => return Ok(whole),
        Ok(Ok(Kept::TooLong)) => {
            let closes = !read_away(body).await && !is_multiplexed(head);
            return Err(Unread::new(UnreadReason::TooLong(limit), closes));
        }
        Ok(Ok(Kept::Enough)) => UnreadReason::NotOneMessage,
        // What went wrong on the way is the sender's to know, not ours to tell.
        Ok(Err(BrokeOff)) => UnreadReason::BrokeOff,
        Err(_) => UnreadReason::TooLate(within),
    };
    read_behind(body);
    Err(Unread::new(reason, !is_multiplexed(head)))
}

/// Returns how long the head says that the body is.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The state of a body after it was read.
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
