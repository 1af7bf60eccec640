//! `Mcp-Method` and `Mcp-Name` (MCP 2026-07-28): what they say must be what the body says, since
//! something on the way may have gone by them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::rpc::{HEADER_MISMATCH, Rejection};

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Refuses headers that contradict the body; absent ones contradict nothing.
pub(super) fn agree(
    headers: &HeaderMap,
    method: Option<&str>,
    name: Option<&str>,
) -> Result<(), Rejection> {
    for (header, said) in [(METHOD, method), (NAME, name)] {
        if !headers.get_all(header).iter().all(|value| says(value.as_bytes(), said)) {
            let message = format!("the header {header} does not say what the body says");
            return Err(Rejection::new(HEADER_MISMATCH, message));
        }
    }
    Ok(())
}

/// As it is, or as `=?base64?…?=` where it could not be a header as it is.
fn says(value: &[u8], said: Option<&str>) -> bool {
    let Some(said) = said.map(str::as_bytes) else { return false };
    match value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?=")) {
        // Never as it is: a name that looks like this is another one to whoever decodes it.
        Some(text) => STANDARD.decode(text).is_ok_and(|text| text == said),
        None => value == said,
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
