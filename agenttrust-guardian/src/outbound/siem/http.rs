//! What receivers of HTTP have in common: how they are asked, and what a status says.

use std::time::{Duration, Instant};

use agenttrust::Timestamp;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Url;
use serde_json::Value;

use super::super::{Error, Outbound, Outgoing, cut};
use super::Delivery;
use crate::domain::Secret;

/// The number of bytes of an answer that are read: read as JSON, it takes many times as much memory ...
pub(super) const ANSWER_MAX_BYTES: usize = 64 << 10;
/// ... and of one that tells of every event.
const ITEMS_MAX_BYTES: usize = 8 << 20;
/// The time that the rest of an answer is waited for once its status says all, so that its connection can be used
/// again.
const REST_WITHIN: Duration = Duration::from_secs(1);

/// The part of an answer that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Its status.
    Status,
    /// Its status, and what it says where that is no success.
    Refusal,
    /// The whole answer.
    Whole,
    /// The whole answer, which tells of every event.
    Items,
}

/// An answer, all of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    retry_after: Option<Duration>,
    /// Its body; or why it did not come.
    pub(super) body: Result<Bytes, Error>,
}

/// Posts a body. What is no answer is to be tried again.
pub(super) async fn post(
    outbound: &Outbound,
    target: &Url,
    headers: HeaderMap,
    body: String,
    reads: Reads,
) -> Result<Answer, Delivery> {
    let delivery_timeouts = outbound.delivery_timeouts.answer;
    let begun = Instant::now();
    let outgoing = Outgoing {
        method: Method::POST,
        target: target.clone(),
        headers,
        body: Bytes::from(body),
        first_byte_within: delivery_timeouts,
    };
    let incoming = outbound.send(outgoing).await.map_err(|error| match error {
        Error::Redirected { status, .. } => {
            let reason = error.to_string();
            Delivery::Later { status: Some(status.as_u16()), retry_after: None, reason }
        }
        error => Delivery::later(error),
    })?;
    let status = incoming.status;
    let retry_after = incoming.headers.get(RETRY_AFTER).and_then(retry_after);
    let says_all = match reads {
        Reads::Status => true,
        Reads::Refusal => status.is_success(),
        Reads::Whole | Reads::Items => false,
    };
    let left = delivery_timeouts.saturating_sub(begun.elapsed());
    let left = if says_all { left.min(REST_WITHIN) } else { left };
    let most = if reads == Reads::Items { ITEMS_MAX_BYTES } else { ANSWER_MAX_BYTES };
    let body = incoming.whole(most, left).await;
    Ok(Answer { status, retry_after, body })
}

impl Answer {
    /// Returns its body, as JSON, unless it is a long one.
    pub(super) fn json(&self) -> Option<Value> {
        let body = self.body.as_ref().ok().filter(|body| body.len() <= ANSWER_MAX_BYTES)?;
        serde_json::from_slice(body).ok()
    }

    /// Returns what an answer that is no success says of all that was sent; `why` is the receiver's own word for it.
    pub(super) fn verdict(&self, why: Option<&str>) -> Delivery {
        let status = self.status.as_u16();
        let reason = match why {
            Some(why) => format!("the receiver answered {}: {}", self.status, plain(why)),
            None => format!("the receiver answered {}", self.status),
        };
        match passes(status) {
            true => self.later(reason),
            false => Delivery::Refused { status, reason },
        }
    }

    /// Returns that the events are to be tried again, when the receiver wants it.
    pub(super) fn later(&self, reason: String) -> Delivery {
        let status = Some(self.status.as_u16());
        Delivery::Later { status, retry_after: self.retry_after, reason }
    }
}

/// Returns whether a status says nothing of what was sent: the receiver is not ready, or an operator can mend it (a
/// token, an account, a path). What says that the events are wrong will say so the next time.
pub(super) fn passes(status: u16) -> bool {
    match status {
        401..=405 | 407 | 408 | 410 | 425 | 429 => true,
        400..=499 => false,
        _ => true,
    }
}

/// Returns what a receiver says, on one line and not without end.
pub(super) fn plain(text: &str) -> String {
    cut(&text.replace(char::is_control, " "))
}

/// Returns headers of a body of this type, and with them a token where there is one.
pub(super) fn headers(
    content_type: &'static str,
    token: Option<(HeaderName, &str, &Secret)>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // It was looked at before: it has no character that a header cannot carry.
    if let Some((name, scheme, token)) = token
        && let Ok(mut value) = HeaderValue::from_str(&format!("{scheme}{}", token.expose()))
    {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

/// Returns how long to wait: a number of seconds, or a point in time.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // One that no number holds is long.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    let at = Timestamp::from_unix_micros(at.as_microsecond())?;
    Some(Timestamp::now().until(at))
}

/// Returns a point in time as seconds since 1970, with as many digits as it has.
pub(super) fn seconds(at: Timestamp) -> String {
    let micros = at.unix_micros();
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// Returns a text in JSON.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_a_receiver_asks_for_is_read_as_seconds_and_as_a_date() {
        let read = |text: &str| retry_after(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let in_a_while = jiff::Timestamp::now() + Duration::from_secs(600);
        let date = in_a_while.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = read(&date).unwrap();
        assert!(wait > Duration::from_secs(590) && wait <= Duration::from_secs(600), "{wait:?}");
        for text in ["-1", "soon", "1.5"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_status_that_says_that_the_request_is_wrong_refuses_for_good() {
        for status in [400, 406, 409, 411, 413, 414, 415, 422, 431, 451] {
            assert!(!passes(status), "{status}");
        }
        for status in
            [300, 401, 402, 403, 404, 405, 407, 408, 410, 425, 429, 500, 501, 503, 504, 507]
        {
            assert!(passes(status), "{status}");
        }
    }
}
