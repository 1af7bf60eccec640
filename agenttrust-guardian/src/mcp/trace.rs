//! Where a trace goes on: `traceparent` and `tracestate` of a message's `_meta`, else of its headers (W3C Trace
//! Context).

use agenttrust_tower::internal::mcp::JsonRpc;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");
/// The longest state that is taken along.
const STATE_MAX_BYTES: usize = 512;

/// The trace as headers. What is not written as it must be is left out.
pub(super) fn headers(message: &JsonRpc, sent: &HeaderMap) -> HeaderMap {
    let said = |header: &HeaderName| {
        let in_meta = message.meta(header.as_str()).and_then(Value::as_str);
        in_meta.or_else(|| sent.get(header)?.to_str().ok())
    };
    let mut headers = HeaderMap::new();
    let Some(parent) = said(&PARENT).filter(|parent| is_parent(parent)) else { return headers };
    if let Ok(parent) = HeaderValue::from_str(parent) {
        headers.insert(PARENT, parent);
    }
    let state = said(&STATE).filter(|state| state.len() <= STATE_MAX_BYTES);
    if let Some(state) = state.and_then(|state| HeaderValue::from_str(state).ok()) {
        headers.insert(STATE, state);
    }
    headers
}

/// `00-<32 digits>-<16 digits>-<2 digits>`, none of the first two all zeros.
fn is_parent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut digits = |count: usize| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts.next().filter(|part| part.len() == count && part.bytes().all(hex))
    };
    let (version, trace, span, flags) = (digits(2), digits(32), digits(16), digits(2));
    let some = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
    version == Some("00") && some(trace) && some(span) && flags.is_some() && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_goes_on_where_it_is_written_as_it_must_be() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        assert!(is_parent(parent));
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7\r\nx: y-01",
        ] {
            assert!(!is_parent(bad), "{bad}");
        }
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"traceparent":"{parent}"}}}}}}"#
        );
        let message = JsonRpc::read(text.as_bytes(), 100).unwrap();
        assert_eq!(headers(&message, &HeaderMap::new())[PARENT], parent);
    }
}
