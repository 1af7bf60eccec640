//! One question to an agent and its answer, whichever way it travels: bounded in time and length, and told apart by
//! what is known of the question when there is no answer.

use std::time::Instant;

use agenttrust_tower::internal::mcp::{Text, parse};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::super::{Error, Incoming, Outgoing};
use super::words::Call;
use super::{Binding, SendError, Way, http_json, json_rpc};
use crate::domain::Trace;

/// The most that is read of an answer.
const ANSWER_MAX_BYTES: usize = 4 << 20;
/// The largest number of values in an answer, nested ones counted: each takes many times its text in memory.
const VALUES_MOST: usize = 256 << 10;
/// The longest sentence of an agent that is told on.
const TOLD_MAX_CHARS: usize = 300;

const EVENTS: &str = "text/event-stream";

/// A request to an agent.
#[derive(Debug)]
pub(super) struct A2aRequest {
    pub(super) method: Method,
    /// The path after that of the interface.
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// An answer whose head is there.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) incoming: Incoming,
    /// The id that an answer of JSON-RPC must have.
    pub(super) id: Option<String>,
    begun: Instant,
    /// Whether nothing is in doubt where there is no answer.
    only_reads: bool,
}

/// Sends a call; returns once the head of the answer is there.
///
/// # Errors
///
/// Those of [`SendError`].
pub(super) async fn send(
    way: &Way<'_>,
    call: &Call<'_>,
    hears: bool,
) -> Result<Answering, SendError> {
    let interface = way.interface;
    let (request, id) = match interface.binding {
        Binding::JsonRpc => {
            let (request, id) = json_rpc::request(call, interface.version);
            (request, Some(id))
        }
        Binding::HttpJson => (http_json::request(call), None),
    };
    let mut target = interface.url.clone();
    if !request.path.is_empty() {
        let path = format!("{}{}", target.path().trim_end_matches('/'), request.path);
        target.set_path(&path);
    }
    let media = match interface.binding {
        Binding::JsonRpc => "application/json",
        Binding::HttpJson => "application/a2a+json",
    };
    let accept = match (interface.binding, hears) {
        (_, true) => "text/event-stream, application/json, application/a2a+json",
        (Binding::JsonRpc, false) => "application/json",
        (Binding::HttpJson, false) => "application/a2a+json, application/json",
    };
    let mut headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static(accept)),
        (
            HeaderName::from_static("a2a-version"),
            HeaderValue::from_static(interface.version.as_str()),
        ),
    ]);
    for (name, value) in call.trace().into_iter().flat_map(Trace::headers) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let body = request.body.map_or_else(Bytes::new, |body| body.to_string().into());
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    let begun = Instant::now();
    let method = request.method;
    let outgoing = Outgoing { method, target, headers, body, first_byte_within: way.timeout };
    let only_reads = call.only_reads();
    let incoming =
        way.outbound.send(outgoing).await.map_err(|error| unanswered(error, only_reads))?;
    Ok(Answering { incoming, id, begun, only_reads })
}

/// Asks, and returns the result that was answered.
///
/// # Errors
///
/// Those of [`SendError`].
pub(super) async fn answered(way: &Way<'_>, call: &Call<'_>) -> Result<Value, SendError> {
    send(way, call, false).await?.whole(way).await
}

impl Answering {
    /// Returns whether it is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        self.incoming.status.is_success() && media_type(&self.incoming.headers) == EVENTS
    }

    /// Returns the result in an answer that is no stream.
    ///
    /// # Errors
    ///
    /// Those of [`SendError`].
    pub(super) async fn whole(self, way: &Way<'_>) -> Result<Value, SendError> {
        let Self { incoming, id, begun, only_reads } = self;
        let (status, media) = (incoming.status, media_type(&incoming.headers));
        let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !incoming.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
            return Err(SendError::Lies("it is compressed, which was not asked for".to_owned()));
        }
        let is_json = media == "application/json" || media.ends_with("+json");
        if !is_json {
            return Err(no_answer(status, &media, only_reads));
        }
        let left = way.timeout.saturating_sub(begun.elapsed());
        let read = incoming.whole(ANSWER_MAX_BYTES, left).await;
        let body = read.map_err(|error| unanswered(error, only_reads))?;
        let Some(answer) = members(&body) else {
            return Err(no_answer(status, "what is no object in JSON", only_reads));
        };
        match &id {
            Some(id) if answer.contains_key("jsonrpc") => json_rpc::result(answer, id),
            Some(_) => Err(no_answer(status, "JSON that is no answer of JSON-RPC", only_reads)),
            None if status.is_success() => Ok(Value::Object(answer)),
            None => Err(http_json::refused(status, &answer)
                .unwrap_or_else(|| no_answer(status, "JSON that is no error of A2A", only_reads))),
        }
    }
}

/// Reads an object that means one thing only.
pub(super) fn members(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text, VALUES_MOST) {
        Ok(Text::Object(members)) => Some(members),
        _ => None,
    }
}

/// Returns what came instead of an answer, and what that says of the question.
fn no_answer(status: StatusCode, what: &str, only_reads: bool) -> SendError {
    let what = if what.is_empty() { "nothing that says what it is" } else { what };
    let what: String = what.chars().take(100).collect();
    let number = status.as_u16();
    let told = format!("it answered HTTP {number} and {what} instead of an answer");
    if status.is_success() || status.is_redirection() || status.is_informational() {
        return SendError::Lies(told);
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS => SendError::NotSent(told),
        // Whoever stands in between may not know what became of it either.
        _ if status.is_server_error() && only_reads => SendError::NotSent(told),
        _ if status.is_server_error() => SendError::InDoubt(told),
        _ => SendError::Refused { code: i64::from(number), message: told },
    }
}

/// Returns what it means that a call has no answer.
pub(super) fn unanswered(error: Error, only_reads: bool) -> SendError {
    match error {
        Error::Refused(_) | Error::Unreached(_) => SendError::NotSent(error.to_string()),
        Error::NoAnswer(_) if only_reads => SendError::NotSent(error.to_string()),
        Error::NoAnswer(_) => SendError::InDoubt(error.to_string()),
        // Where it points to is not for a sender to know.
        Error::Redirected { status, .. } => SendError::Lies(format!(
            "it answered HTTP {} and points elsewhere, where nothing is sent",
            status.as_u16()
        )),
        Error::TooLong(_) => SendError::Lies(error.to_string()),
    }
}

/// Returns as much of an agent's sentence as is told on.
pub(super) fn told_of(message: Option<&Value>) -> String {
    let text = message.and_then(Value::as_str).filter(|text| !text.is_empty());
    let shown = |it: char| if it.is_control() { '\u{fffd}' } else { it };
    text.unwrap_or("it does not say why").chars().take(TOLD_MAX_CHARS).map(shown).collect()
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
