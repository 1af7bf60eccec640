//! Taking in a message: the body of a request, where its head says that it may be one.
//!
//! It also takes in the body of a message that is refused by its head alone: what is not read stays in the connection,
//! and no later request could use that again.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body::Body;

use super::rpc::{INVALID_REQUEST, PARSE_ERROR, Rejection};
use crate::intake::unread_body::ends_with;
use crate::intake::{Bounds, take_in};
use crate::{Unread, UnreadReason};

/// Returns the whole body.
pub(super) async fn read_body<B>(head: &Parts, body: B, bounds: Bounds) -> Result<Bytes, Rejection>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    if let Err(rejection) = acceptable(head) {
        let closes = ends_with(head, Box::pin(body)).await;
        return Err(Rejection { closes, ..rejection });
    }
    let limit = if head.method == Method::POST { bounds.limit } else { 0 };
    let whole = take_in(head, body, Bounds { limit, ..bounds }, |_| false).await;
    whole.map(|whole| whole.bytes).map_err(|unread| refused(head, &unread))
}

fn refused(head: &Parts, unread: &Unread) -> Rejection {
    let rejection = match unread.reason() {
        UnreadReason::TooLong(_) if head.method != Method::POST => {
            let method = &head.method;
            let message =
                format!("a {method} with a body is not looked into; messages come with POST");
            Rejection::new(INVALID_REQUEST, message)
        }
        UnreadReason::TooLong(limit) => {
            let message = format!("the body is longer than {limit} bytes");
            Rejection::new(INVALID_REQUEST, message).status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        UnreadReason::TooLate(within) => {
            let message = format!("the body did not come within {within:?}");
            Rejection::new(INVALID_REQUEST, message).status(StatusCode::REQUEST_TIMEOUT)
        }
        UnreadReason::BrokeOff | UnreadReason::NotOneMessage => {
            Rejection::new(PARSE_ERROR, "the body broke off before its end")
        }
    };
    Rejection { closes: unread.closes_connection(), ..rejection }
}

/// Checks what the head says already.
fn acceptable(head: &Parts) -> Result<(), Rejection> {
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
    Ok(())
}

/// Returns whether the type is JSON in UTF-8. In another character set, the next reader would read another text: in
/// UTF-7, say, `+ACI-` is a quotation mark.
fn is_json(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(b"application/json"));
    json && parts.all(|parameter| {
        let said = parameter.to_ascii_lowercase();
        matches!(&*said, b"" | b"charset=utf-8" | b"charset=\"utf-8\"")
    })
}

fn unsupported(message: &str) -> Rejection {
    Rejection::new(INVALID_REQUEST, message).status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
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
