//! `Mcp-Method` and `Mcp-Name` (MCP 2026-07-28), and `MCP-Protocol-Version`: what they say must be what the
//! body says, since something on the way may have gone by them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::rpc::{HEADER_MISMATCH, Rejection};

pub(super) const METHOD: &str = "mcp-method";
pub(super) const NAME: &str = "mcp-name";
pub(super) const VERSION: &str = "mcp-protocol-version";

/// The first revision without sessions, in which headers repeat what a message says, and a result says that it is one.
const MODERN: &str = "2026-07-28";

/// Returns whether this revision of MCP is 2026-07-28 or a later one. Revisions are dates, and compare as
/// such.
#[must_use]
pub fn is_modern(version: &str) -> bool {
    version >= MODERN
}

/// Returns whether the headers say so.
pub(super) fn are_modern(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION).and_then(|value| value.to_str().ok());
    version.is_some_and(is_modern)
}

/// Refuses headers that contradict the body; absent ones contradict nothing.
pub(super) fn agree(
    headers: &HeaderMap,
    method: Option<&str>,
    name: Option<&str>,
) -> Result<(), Rejection> {
    for (header, said) in [(METHOD, method), (NAME, name)] {
        if !headers.get_all(header).iter().all(|value| says(value.as_bytes(), said)) {
            return Err(mismatch(header));
        }
    }
    Ok(())
}

/// Checks that the header and the body name the same version. Before 2026-07-28 no body names one.
pub(super) fn agree_on_version(
    headers: &HeaderMap,
    version: Option<&str>,
) -> Result<(), Rejection> {
    let Some(version) = version else { return Ok(()) };
    match headers.get_all(VERSION).iter().all(|value| value.as_bytes() == version.as_bytes()) {
        true => Ok(()),
        false => Err(mismatch(VERSION)),
    }
}

/// Returns a header that contradicts the body.
pub(super) fn mismatch(header: &str) -> Rejection {
    let message = format!("the header {header} does not say what the body says");
    Rejection::new(HEADER_MISMATCH, message)
}

fn says(value: &[u8], said: Option<&str>) -> bool {
    said.is_some_and(|said| decoded(value).is_some_and(|value| *value == *said.as_bytes()))
}

/// Returns the value as it is, in ASCII, or what is in `=?base64?…?=` where it could not be a header as it is. Never
/// that as it is: a name that looks like this is another one to a reader that decodes it.
pub(super) fn decoded(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?=")) {
        Some(text) => STANDARD.decode(text).ok().map(Cow::Owned),
        None => value.is_ascii().then_some(Cow::Borrowed(value)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_header_that_says_the_same_is_fine_however_it_is_written() {
        for all in [
            &[][..],
            &[("mcp-method", "tools/call")],
            &[("mcp-method", "tools/call"), ("mcp-name", "delete")],
            &[("mcp-name", "=?base64?ZGVsZXRl?=")],
        ] {
            assert_eq!(agree(&headers(all), Some("tools/call"), Some("delete")), Ok(()));
        }
    }

    #[test]
    fn a_header_that_says_anything_else_is_refused() {
        for all in [
            &[("mcp-method", "tools/list")][..],
            &[("mcp-method", "tools/call"), ("mcp-method", "tools/list")],
            &[("mcp-name", "read")],
            &[("mcp-name", "Delete")],
            &[("mcp-name", "=?base64?cmVhZA==?=")],
            &[("mcp-name", "=?base64?%?=")],
        ] {
            let refused = agree(&headers(all), Some("tools/call"), Some("delete"));
            assert_eq!(refused.unwrap_err().code, HEADER_MISMATCH, "{all:?}");
        }
        let looks_encoded = "=?base64?cmVhZA==?=";
        let all = headers(&[("mcp-name", looks_encoded)]);
        assert!(agree(&all, Some("tools/call"), Some(looks_encoded)).is_err());
        assert!(agree(&headers(&[("mcp-name", "x")]), Some("ping"), None).is_err());
        assert!(agree(&headers(&[("mcp-method", "ping")]), None, None).is_err());
    }
}
