//! The way to the server behind: what a message takes along, which is nothing of the caller's but its message, and
//! what the head of an answer says.

use std::sync::Arc;
use std::time::Duration;

use agenttrust_tower::internal::mcp::{Text, parse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::Proxy;
use super::era::{METHOD, NAME, SESSION, UNSUPPORTED_VERSION, VERSION};
use super::refusal::Refusal;
use super::upstream::{POST, unreadable};
use crate::manifest::without_unreadable;
use crate::outbound::events::{EVENT_MAX_BYTES, Events, Piece, Unreadable};
use crate::outbound::{self, Incoming, Outgoing};
use crate::registry::McpServerEntry;

/// The longest answer that is not a stream.
pub(super) const ANSWER_MAX_BYTES: usize = 16 << 20;
/// The longest answer to a question of the proxy's own, and how many values there may be in it.
const OWN_MAX_BYTES: usize = 4 << 20;
const VALUES_MOST: usize = 256 << 10;
/// The longest id of a session that a server gives out.
const SESSION_MAX_BYTES: usize = 1_024;
/// The number of bytes of an answer without success that are read, to say what it is.
const ERROR_MAX_BYTES: usize = 64 << 10;

/// The code of the error by which a server says that it is of another era.
const UNSUPPORTED: i64 = UNSUPPORTED_VERSION as i64;

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// A message on its way to a server.
#[derive(Clone, Debug)]
pub(super) struct Outward {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// The server's own id of the session.
    pub(super) session: Option<String>,
    pub(super) body: Bytes,
}

impl Outward {
    fn new(version: Option<&str>, session: Option<String>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(version) = version.and_then(|version| HeaderValue::from_str(version).ok()) {
            headers.insert(VERSION, version);
        }
        Self { method: POST, headers, session, body: Bytes::new() }
    }

    /// Creates a message that opens a session.
    pub(super) fn initialize() -> Self {
        Self::new(None, None)
    }

    /// Creates a message of the era that has sessions.
    pub(super) fn legacy(version: &str, session: Option<String>) -> Self {
        Self::new(Some(version), session)
    }

    /// Creates a message of the modern era, about nothing in particular.
    pub(super) fn modern(version: &str, method: &str) -> Self {
        let mut outward = Self::new(Some(version), None);
        outward.says(METHOD, method);
        outward
    }

    /// Says in a header what the body says.
    pub(super) fn says(&mut self, header: http::HeaderName, text: &str) {
        self.headers.insert(header, encoded(text));
    }

    /// Says what the message is about.
    pub(super) fn about(&mut self, name: &str) {
        self.says(NAME, name);
    }

    /// Returns the same with this body.
    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

/// Returns a text as a header of MCP has it: as it is, else in the base64 sentinel.
fn encoded(text: &str) -> HeaderValue {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'))
        && text.trim_matches([' ', '\t']) == text
        && !text.is_empty()
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    let as_it_is = HeaderValue::from_str(text).ok().filter(|_| plain);
    as_it_is.unwrap_or_else(|| {
        let coded = format!("=?base64?{}?=", STANDARD.encode(text));
        // Base64 is what a header may hold.
        HeaderValue::try_from(coded).unwrap_or_else(|_| HeaderValue::from_static(""))
    })
}

/// Sends a message on; returns once the head of the answer is there.
///
/// # Errors
///
/// Refuses where the server may not be called, or does not answer in time.
pub(super) async fn send(
    proxy: &Arc<Proxy>,
    server: &McpServerEntry,
    outward: Outward,
) -> Result<Incoming, Refusal> {
    let engine = &proxy.engine;
    let Outward { method, mut headers, session, body } = outward;
    let accept = match method {
        Method::GET => EVENTS,
        _ => "application/json, text/event-stream",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if method == POST {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    if let Some(session) = session {
        let session = HeaderValue::try_from(session).map_err(|_| Refusal::no_session())?;
        headers.insert(SESSION, session);
    }
    if let Some(authorization) = proxy.authorization(server)? {
        headers.insert(AUTHORIZATION, authorization);
    }
    let target = engine.outbound.target(&server.row.url).map_err(|error| failed(server, &error))?;
    let first_byte_within = engine.settings.mcp.timeout;
    let outgoing = Outgoing { method, target, headers, body, first_byte_within };
    engine.outbound.send(outgoing).await.map_err(|error| {
        // What it spoke may be no longer so: another program may be there when it is back.
        proxy.upstream(&server.row.id).forget_spoken();
        if matches!(error, outbound::Error::Unreached(_)) {
            // And no session is known to one that was started again.
            proxy.sessions.forget_all(&server.row.id);
        }
        failed(server, &error)
    })
}

/// Returns what a caller hears of a server that is not reached. The address of the server is not for a caller to know.
pub(super) fn failed(server: &McpServerEntry, error: &outbound::Error) -> Refusal {
    tracing::warn!(server = server.row.id, %error, "an MCP server could not be asked");
    match error {
        outbound::Error::Refused(why) => {
            Refusal::upstream(format!("the MCP server is not called, because its URL {why}"))
        }
        outbound::Error::Redirected { .. } => Refusal::upstream(
            "the MCP server answered with a redirect, which is not followed; register it under the URL that it is at",
        ),
        outbound::Error::TooLong(most) => Refusal::upstream(format!(
            "the answer of the MCP server is longer than {most} bytes, which is the most"
        )),
        outbound::Error::Unreached(_) | outbound::Error::NoAnswer(_) => {
            Refusal::upstream("the MCP server does not answer, or not in time; try again later")
                .status(StatusCode::GATEWAY_TIMEOUT)
        }
    }
}

/// The kind of an answer, by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// A single message.
    Json,
    /// A stream of them.
    Events,
    /// An answer without a message, which is fine for a notification.
    Nothing,
}

/// Reads the head of a successful answer.
///
/// # Errors
///
/// Refuses an answer that no message of MCP could be in.
pub(super) fn answered(incoming: &Incoming) -> Result<Answered, Refusal> {
    if matches!(incoming.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Ok(Answered::Nothing);
    }
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !incoming.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(Refusal::upstream(
            "the MCP server sent a compressed answer, which was not asked for",
        ));
    }
    match media_type(&incoming.headers).as_str() {
        JSON => Ok(Answered::Json),
        EVENTS => Ok(Answered::Events),
        other => Err(no_json(other)),
    }
}

fn no_json(media: &str) -> Refusal {
    let media: String = media.chars().take(100).collect();
    let media = if media.is_empty() { "nothing that says what it is".to_owned() } else { media };
    Refusal::upstream(format!("the MCP server answered with {media} instead of JSON"))
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns an answer without success as the caller hears of it: an error of the protocol's with its status, and
/// everything else as a fault of the server.
pub(super) async fn unsuccessful(
    proxy: &Proxy,
    server: &McpServerEntry,
    incoming: Incoming,
    in_session: bool,
) -> Result<(StatusCode, Value), Refusal> {
    let status = incoming.status;
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            return Err(Refusal::upstream(format!(
                "the MCP server refused what the Guardian came with ({}); register it again with the `authorization` \
                 that it takes",
                status.as_u16()
            )));
        }
        _ => {}
    }
    let media = media_type(&incoming.headers);
    let message = if media == JSON && (status.is_client_error() || status.is_server_error()) {
        let within = proxy.engine.settings.mcp.timeout;
        let whole = incoming.whole(ERROR_MAX_BYTES, within).await;
        whole.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    } else {
        None
    };
    let code = message.as_ref().and_then(|message| message.pointer("/error/code")?.as_i64());
    if status == StatusCode::NOT_FOUND && in_session && code != Some(-32601) {
        return Err(Refusal::no_session());
    }
    if !in_session && (code == Some(UNSUPPORTED) || is_without_session(status, code)) {
        // Another program may have come in its place: it is asked anew what it speaks.
        proxy.upstream(&server.row.id).forget_spoken();
    }
    match message {
        Some(message) if code.is_some() => Ok((status, message)),
        _ if status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::SERVICE_UNAVAILABLE =>
        {
            Err(Refusal::upstream("the MCP server has too much to do; try again later")
                .status(StatusCode::SERVICE_UNAVAILABLE))
        }
        _ => {
            tracing::warn!(server = server.row.id, %status, media, "an MCP server answered with an error");
            let what = if media.is_empty() { "nothing" } else { media.as_str() };
            let what: String = what.chars().take(100).collect();
            let status = status.as_u16();
            Err(Refusal::upstream(format!(
                "the MCP server answered with status {status} and {what} instead of an answer"
            )))
        }
    }
}

/// Returns whether an answer is one to a request of a session that is over or not known, of which nothing was done
/// then: a status of its own, or in earlier versions that of a request that is not in order.
pub(super) async fn says_no_session(proxy: &Proxy, incoming: &mut Incoming) -> bool {
    if incoming.status == StatusCode::NOT_FOUND {
        return true;
    }
    if incoming.status != StatusCode::BAD_REQUEST {
        return false;
    }
    let said = incoming.look(ERROR_MAX_BYTES, proxy.engine.settings.mcp.timeout).await;
    let said = serde_json::from_slice::<Value>(&said).ok();
    let code = said.and_then(|message| message.pointer("/error/code")?.as_i64());
    is_without_session(incoming.status, code)
}

/// Returns whether an error could be about the session of a request, and not about what was asked in it.
fn is_without_session(status: StatusCode, code: Option<i64>) -> bool {
    let may_be = code.is_none_or(|code| matches!(code, -32_000 | -32_001 | -32_600));
    status == StatusCode::BAD_REQUEST && may_be
}

/// Returns the server's own id of the session that an answer opens.
///
/// # Errors
///
/// Refuses one that no header could carry.
pub(super) fn session_of(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut all = headers.get_all(SESSION).iter();
    let Some(session) = all.next() else { return Ok(None) };
    let text = session.to_str().ok().filter(|text| {
        (1..=SESSION_MAX_BYTES).contains(&text.len())
            && text.bytes().all(|it| it.is_ascii_graphic())
    });
    match (text, all.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::upstream("the MCP server opened a session whose id cannot be one")),
    }
}

/// Asks something in the proxy's own name; returns the whole answer.
pub(super) async fn ask(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    request: Value,
    outward: Outward,
) -> Result<Value, Refusal> {
    ask_and_session(proxy, server, request, outward).await.map(|(answer, _)| answer)
}

/// Returns the same, with the id of the session that the answer opens.
pub(super) async fn ask_and_session(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    request: Value,
    outward: Outward,
) -> Result<(Value, Option<String>), Refusal> {
    let outward = outward.body(request.to_string());
    let incoming = send(proxy, server, outward).await?;
    heard(proxy, server, request.get("id"), incoming).await
}

/// Returns the answer to a question of this id, with the id of the session that it opens.
pub(super) async fn heard(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    id: Option<&Value>,
    incoming: Incoming,
) -> Result<(Value, Option<String>), Refusal> {
    if !incoming.status.is_success() {
        let (status, message) = unsuccessful(proxy, server, incoming, false).await?;
        tracing::debug!(%status, server = server.row.id, "an MCP server refused a question of the proxy");
        return Ok((message, None));
    }
    let session = session_of(&incoming.headers)?;
    let answer = whole(proxy, server, incoming, id).await?;
    Ok((answer, session))
}

/// Returns a message that is read as a whole, but for tools that cannot be read in a list of them. A value takes many
/// times the memory of its text.
pub(super) fn read(text: &[u8]) -> Option<Value> {
    let read = |text: &[u8]| match parse(text, VALUES_MOST) {
        Ok(Text::Object(message)) => Some(Value::Object(message)),
        _ => None,
    };
    read(text).or_else(|| read(&without_unreadable(text, VALUES_MOST)?))
}

/// Returns the one answer in what came, whether it is plain or among events.
pub(super) async fn whole(
    proxy: &Arc<Proxy>,
    server: &McpServerEntry,
    mut incoming: Incoming,
    id: Option<&Value>,
) -> Result<Value, Refusal> {
    let timeout = proxy.engine.settings.mcp.timeout;
    let told = |error: outbound::Error| failed(server, &error);
    match answered(&incoming)? {
        Answered::Nothing => Err(Refusal::upstream("the MCP server gave no answer to a question")),
        Answered::Json => {
            let bytes = incoming.whole(OWN_MAX_BYTES, timeout).await.map_err(told)?;
            read(&bytes).ok_or_else(unreadable)
        }
        Answered::Events => {
            let (mut events, mut left) = (Events::default(), OWN_MAX_BYTES);
            let found = async {
                loop {
                    while let Some(piece) = events.next().map_err(unread)? {
                        let Piece::Event(event) = piece else { continue };
                        let data = event.data.unwrap_or_default();
                        let message = read(data.as_bytes()).unwrap_or_default();
                        if message.get("method").is_none() && message.get("id") == id {
                            return Ok(message);
                        }
                    }
                    let Some(chunk) = incoming.chunk(timeout).await.map_err(told)? else {
                        return Err(broke_off());
                    };
                    left = left
                        .checked_sub(chunk.len())
                        .ok_or_else(|| failed(server, &outbound::Error::TooLong(OWN_MAX_BYTES)))?;
                    events.push(&chunk);
                }
            };
            let found = agenttrust::background::timeout(timeout, found).await;
            found.unwrap_or_else(|_| {
                Err(Refusal::upstream("the MCP server did not answer in time")
                    .status(StatusCode::GATEWAY_TIMEOUT))
            })
        }
    }
}

/// Tells the server something in the proxy's own name.
pub(super) async fn tell(
    proxy: &Arc<Proxy>,
    server: &Arc<McpServerEntry>,
    message: Value,
    outward: Outward,
) -> Result<(), Refusal> {
    let incoming = send(proxy, server, outward.body(message.to_string())).await?;
    match incoming.status.is_success() {
        true => Ok(()),
        false => {
            Err(Refusal::upstream("the MCP server opened a session and does not go on with it"))
        }
    }
}

pub(super) fn unread(why: Unreadable) -> Refusal {
    match why {
        Unreadable::TooLong => Refusal::upstream(format!(
            "the MCP server sent an event of more than {EVENT_MAX_BYTES} bytes, which is the most"
        )),
        Unreadable::NotUtf8 => Refusal::upstream("the MCP server sent an event that is no UTF-8"),
    }
}

pub(super) fn broke_off() -> Refusal {
    Refusal::upstream(
        "the MCP server broke off or went silent before it had answered; whether the call ran is not known",
    )
}

/// The time that a stream of a server's own may be silent.
pub(super) const QUIET_MOST: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_header_could_not_carry_travels_in_base64() {
        for (text, header) in [
            ("us-west1", "us-west1"),
            ("a b", "a b"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encoded(text), header, "{text}");
        }
    }
}
