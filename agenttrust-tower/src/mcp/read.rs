//! Taking in the body of a request, up to a limit and for no longer than it may take.
//!
//! Also of one that is refused by its head alone: what is not read stays in the connection, and nobody
//! could use that again.

use std::pin::pin;
use std::time::Duration;

use agenttrust::__private::background;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;

use super::rpc::{INVALID_REQUEST, PARSE_ERROR, Rejection};

/// How much of a body that is refused is read and thrown away, so that the connection can be used again.
const THROWN_AWAY: usize = 16 * 1024 * 1024;

/// The whole body.
pub(super) async fn read<B: Body>(
    head: &Parts,
    body: B,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Rejection> {
    let limit = if head.method == Method::POST { limit } else { 0 };
    let acceptable = acceptable(head, limit);
    // Whoever asks before sending a body need not send one that is refused.
    if head.headers.contains_key(EXPECT) && acceptable.is_err() {
        return acceptable.map(|()| Bytes::new()).map_err(Rejection::closing);
    }
    let keep = if acceptable.is_ok() { limit } else { 0 };
    let taken = background::timeout(within, take_in(body, keep)).await;
    match (acceptable, taken) {
        (Err(rejection), Ok(Ok(Taken::Whole(_) | Taken::TooLong))) => Err(rejection),
        (Err(rejection), _) => Err(rejection.closing()),
        (Ok(()), Ok(Ok(Taken::Whole(text)))) => Ok(text),
        (Ok(()), Ok(Ok(Taken::TooLong))) => Err(too_long(&head.method, limit)),
        (Ok(()), Ok(Ok(Taken::Endless))) => Err(too_long(&head.method, limit).closing()),
        // What went wrong on the way is the sender's to know, not ours to tell.
        (Ok(()), Ok(Err(BrokeOff))) => {
            Err(Rejection::new(PARSE_ERROR, "the body broke off before its end").closing())
        }
        (Ok(()), Err(_)) => {
            let message = format!("the body did not come within {within:?}");
            let rejection = Rejection::new(INVALID_REQUEST, message);
            Err(rejection.status(StatusCode::REQUEST_TIMEOUT).closing())
        }
    }
}

/// What became of a body.
enum Taken {
    Whole(Bytes),
    /// Longer than may be kept, and read to its end.
    TooLong,
    /// So long that its end was not waited for.
    Endless,
}

struct BrokeOff;

async fn take_in<B: Body>(body: B, keep: usize) -> Result<Taken, BrokeOff> {
    let mut body = pin!(body);
    let mut taken = BytesMut::new();
    let mut seen: usize = 0;
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| BrokeOff)?.into_data() else { continue };
        seen = seen.saturating_add(data.remaining());
        if seen > keep.saturating_add(THROWN_AWAY) {
            return Ok(Taken::Endless);
        }
        if seen <= keep {
            let piece = data.copy_to_bytes(data.remaining());
            taken.extend_from_slice(&piece);
        } else {
            taken = BytesMut::new();
        }
    }
    Ok(if seen > keep { Taken::TooLong } else { Taken::Whole(taken.freeze()) })
}

/// What the head says already.
fn acceptable(head: &Parts, limit: usize) -> Result<(), Rejection> {
    match head.method {
        Method::POST => {}
        Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE => return Ok(()),
        _ => {
            let message = "MCP over HTTP has POST, GET and DELETE";
            let rejection = Rejection::new(INVALID_REQUEST, message);
            return Err(rejection.status(StatusCode::METHOD_NOT_ALLOWED));
        }
    }
    let headers = &head.headers;
    let plain =
        |encoding: &http::HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(unsupported("a compressed body is not looked into; send it as it is"));
    }
    // Absent, it says nothing, and it stays absent: whether to take that is the server's to decide.
    if !headers.get_all(CONTENT_TYPE).iter().all(|value| is_json(value.as_bytes())) {
        return Err(unsupported("the body is not application/json in UTF-8; send it as that"));
    }
    match length(headers) {
        Some(length) if length > limit && headers.contains_key(EXPECT) => {
            Err(too_long(&head.method, limit))
        }
        _ => Ok(()),
    }
}

/// JSON in UTF-8. In another character set, the next reader would read another text: in UTF-7, say,
/// `+ACI-` is a quotation mark.
fn is_json(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(b"application/json"));
    json && parts.all(|parameter| {
        let said = parameter.to_ascii_lowercase();
        matches!(&*said, b"" | b"charset=utf-8" | b"charset=\"utf-8\"")
    })
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn unsupported(message: &str) -> Rejection {
    Rejection::new(INVALID_REQUEST, message).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

fn too_long(method: &Method, limit: usize) -> Rejection {
    if method != Method::POST {
        let message = format!("a {method} with a body is not looked into; messages come with POST");
        return Rejection::new(INVALID_REQUEST, message);
    }
    let message = format!("the body is longer than {limit} bytes");
    Rejection::new(INVALID_REQUEST, message).status(StatusCode::PAYLOAD_TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf_8_is_json_however_it_is_written() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json ; Charset=\"UTF-8\" ;",
        ] {
            assert!(is_json(value.as_bytes()), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "application/jsonp",
            "application/json; charset=utf-7",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; charset=utf-16le",
            "application/json, text/plain",
        ] {
            assert!(!is_json(value.as_bytes()), "{value}");
        }
    }
}
