//! Taking in the body of a request, up to a limit and for no longer than it may take.

use std::pin::pin;
use std::time::Duration;

use agenttrust::__private::background;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;

use super::rpc::{INVALID_REQUEST, PARSE_ERROR, Rejection};

/// How much of a body over the limit is read and thrown away, so that the connection can be used again.
const THROWN_AWAY: usize = 16 * 1024 * 1024;

/// The whole body.
pub(super) async fn read<B: Body>(
    headers: &HeaderMap,
    body: B,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Rejection> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        let message = "a compressed body is not looked into; send it as it is";
        return Err(
            Rejection::new(INVALID_REQUEST, message).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
    }
    // Whoever asks before sending a body need not be asked for one that is too long.
    if headers.contains_key(EXPECT) && length(headers).is_some_and(|length| length > limit) {
        return Err(too_long(limit));
    }
    background::timeout(within, take_in(body, limit)).await.unwrap_or_else(|_| {
        let message = format!("the body did not come within {within:?}");
        Err(Rejection::new(INVALID_REQUEST, message).status(StatusCode::REQUEST_TIMEOUT))
    })
}

async fn take_in<B: Body>(body: B, limit: usize) -> Result<Bytes, Rejection> {
    let mut body = pin!(body);
    let mut taken = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        // What went wrong on the way is the sender's to know, not ours to tell.
        let frame =
            frame.map_err(|_| Rejection::new(PARSE_ERROR, "the body broke off before its end"))?;
        let Ok(mut data) = frame.into_data() else { continue };
        seen += data.remaining();
        if seen > limit.saturating_add(THROWN_AWAY) {
            break;
        }
        if seen <= limit {
            let piece = data.copy_to_bytes(data.remaining());
            taken.extend_from_slice(&piece);
        } else {
            taken = BytesMut::new();
        }
    }
    if seen > limit { Err(too_long(limit)) } else { Ok(taken.freeze()) }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_long(limit: usize) -> Rejection {
    let message = format!("the body is longer than {limit} bytes");
    Rejection::new(INVALID_REQUEST, message).status(StatusCode::PAYLOAD_TOO_LARGE)
}
