//! The two eras of MCP: which one a message is of, and whether header and body say the same of it.

pub(super) use agenttrust_tower::internal::mcp::Era;
use agenttrust_tower::internal::mcp::{HEADER_MISMATCH, INVALID_PARAMS, JsonRpc};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// The versions without initialisation and without sessions, the newest first.
pub(super) const MODERN: [&str; 1] = ["2026-07-28"];
/// The versions that begin with `initialize`, the newest first.
pub(super) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// MCP 2026-07-28: none of the versions that there are is the one that was asked for.
pub(super) const UNSUPPORTED_VERSION: i32 = -32022;

pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The member of `_meta` that names the version in every modern request.
pub(super) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
pub(super) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The manner in which a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A request that opens a session.
    Initialize,
    /// A request of the session with this sealed id.
    InSession(String),
    /// A request of this version of the modern era.
    Modern(&'static str),
    /// A request that says nothing of MCP: a client of the guide's, for which the proxy is the client of the server.
    Plain,
}

impl Manner {
    /// Reads how a message comes.
    ///
    /// # Errors
    ///
    /// Refuses versions that are not known and headers that are not as MCP has them.
    pub(super) fn of(headers: &HeaderMap, message: &JsonRpc) -> Result<Self, Refusal> {
        message.agree(headers)?;
        let manner = Self::unchecked(headers, message);
        manner.map_err(|refusal| refusal.id(message.id()))
    }

    fn unchecked(headers: &HeaderMap, message: &JsonRpc) -> Result<Self, Refusal> {
        let header = only(headers, &VERSION)?;
        if message.meta(META_VERSION).is_some() {
            let said = message.version().unwrap_or_default();
            let Some(version) = known(&MODERN, said) else { return Err(unsupported(said)) };
            modern(headers, message)?;
            return Ok(Self::Modern(version));
        }
        let header = match header {
            Some(said) => match known(&MODERN, said) {
                // The specification defines none, and none of its headers either.
                Some(version) if !message.is_request() => return Ok(Self::Modern(version)),
                Some(_) => return Err(missing_meta(META_VERSION)),
                None => Some(known(&LEGACY, said).ok_or_else(|| unsupported(said))?),
            },
            None => None,
        };
        if message.is_request() && message.method() == Some("initialize") {
            return Ok(Self::Initialize);
        }
        match only(headers, &SESSION)? {
            Some(session) => Ok(Self::InSession(session.to_owned())),
            None if message.method().is_none() && header.is_some() => Err(Refusal::invalid(
                "an answer is to a question that came in a session; send it with its Mcp-Session-Id",
            )),
            None => Ok(Self::Plain),
        }
    }
}

/// Checks the headers and members that a request of the modern era has beside its version.
fn modern(headers: &HeaderMap, message: &JsonRpc) -> Result<(), Refusal> {
    message.complete(headers)?;
    for header in [&VERSION, &METHOD, &NAME] {
        only(headers, header)?;
    }
    if !message.meta(META_CAPABILITIES).is_some_and(Value::is_object) {
        return Err(missing_meta(META_CAPABILITIES));
    }
    Ok(())
}

/// Returns the version of this list that is said.
pub(super) fn known(versions: &[&'static str], said: &str) -> Option<&'static str> {
    versions.iter().find(|version| **version == said).copied()
}

/// Returns a header that may be there once, as text.
pub(super) fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::to_str);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        (Some(_), _) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            HEADER_MISMATCH,
            format!(
                "the header {name} is there more than once, or is no visible ASCII; send it once"
            ),
        )),
    }
}

fn missing_meta(member: &str) -> Refusal {
    let message = format!("params._meta has no {member:?}, which each request of this version has");
    Refusal::new(StatusCode::BAD_REQUEST, INVALID_PARAMS, message)
}

/// Returns a version that is not known here.
fn unsupported(requested: &str) -> Refusal {
    let all: Vec<&str> = MODERN.iter().chain(&LEGACY).copied().collect();
    version_error(&all, requested)
}

/// Returns the error of the protocol for a version that is not supported.
pub(super) fn version_error(supported: &[&str], requested: &str) -> Refusal {
    let requested: String = requested.chars().take(64).collect();
    let message = format!(
        "this server does not speak version {requested:?} of MCP, but {}",
        supported.join(", ")
    );
    Refusal::new(StatusCode::BAD_REQUEST, UNSUPPORTED_VERSION, message)
        .data(json!({ "supported": supported, "requested": requested }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

    fn manner(headers: &[(&'static str, &'static str)], text: &str) -> Result<Manner, i32> {
        let message = JsonRpc::read(text.as_bytes(), 1_000).unwrap();
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, HeaderValue::from_static(value));
        }
        Manner::of(&all, &message).map_err(|refusal| refusal.code())
    }

    fn call(meta: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","_meta":{meta}}}}}"#
        )
    }

    const OF_IT: [(&str, &str); 3] =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "a")];

    #[test]
    fn modern_request_says_so_in_header_and_body() {
        assert_eq!(manner(&OF_IT, &call(META)), Ok(Manner::Modern("2026-07-28")));
        for left_out in 0..3 {
            let some = OF_IT.iter().enumerate().filter(|(at, _)| *at != left_out);
            let some: Vec<_> = some.map(|(_, header)| *header).collect();
            assert_eq!(manner(&some, &call(META)), Err(HEADER_MISMATCH), "{left_out}");
        }
        assert_eq!(manner(&OF_IT, &call("{}")), Err(INVALID_PARAMS));
        let without = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        assert_eq!(manner(&OF_IT, &call(without)), Err(INVALID_PARAMS));
        let older = [("mcp-protocol-version", "2025-11-25"), OF_IT[1], OF_IT[2]];
        assert_eq!(manner(&older, &call(META)), Err(HEADER_MISMATCH));
        let twice = [OF_IT[0], OF_IT[0], OF_IT[1], OF_IT[2]];
        assert_eq!(manner(&twice, &call(META)), Err(HEADER_MISMATCH));
    }

    #[test]
    fn version_that_is_not_known_is_refused_with_those_that_are() {
        for version in ["2099-01-01", "x", "", "2026-07-29"] {
            let meta = META.replace("2026-07-28", version);
            let text = call(&meta);
            assert_eq!(manner(&[], &text), Err(UNSUPPORTED_VERSION), "{version}");
        }
        let future = [("mcp-protocol-version", "2099-01-01")];
        assert_eq!(manner(&future, &call("{}")), Err(UNSUPPORTED_VERSION));
    }

    #[test]
    fn legacy_requests_are_told_by_their_session_and_plain_ones_by_nothing() {
        let in_session = [("mcp-session-id", "s"), ("mcp-protocol-version", "2025-06-18")];
        assert_eq!(manner(&in_session, &call("{}")), Ok(Manner::InSession("s".to_owned())));
        assert_eq!(manner(&[], &call("{}")), Ok(Manner::Plain));
        assert_eq!(
            manner(&[("mcp-protocol-version", "2025-03-26")], &call("{}")),
            Ok(Manner::Plain)
        );
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        assert_eq!(manner(&[], text), Ok(Manner::Initialize));
        // What was the session before is over.
        assert_eq!(manner(&in_session, text), Ok(Manner::Initialize));
    }
}
