//! Where a trace goes on: `traceparent` and `tracestate` of a message's `_meta`, else of its headers.

use agenttrust_tower::internal::mcp::JsonRpc;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::domain::Trace;

/// Returns the trace that a message is in.
pub(super) fn find(message: &JsonRpc, sent: &HeaderMap) -> Option<Trace> {
    Trace::find(|name| {
        let in_meta = message.meta(name).and_then(Value::as_str);
        in_meta.or_else(|| sent.get(name)?.to_str().ok())
    })
}

/// Returns the same as headers. What is not written as it must be is left out.
pub(super) fn headers(message: &JsonRpc, sent: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in find(message, sent).iter().flat_map(Trace::headers) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_of_the_message_goes_on_before_that_of_its_headers() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        let between = "00-11111111111111111111111111111111-2222222222222222-01";
        let read = |meta: &str| {
            let text = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{{meta}}}}}}}"#
            );
            JsonRpc::read(text.as_bytes(), 100).unwrap()
        };
        let sent = HeaderMap::from_iter([(
            HeaderName::from_static("traceparent"),
            HeaderValue::from_static(between),
        )]);
        let said = read(&format!(r#""traceparent":"{parent}""#));
        assert_eq!(headers(&said, &sent)["traceparent"], parent);
        assert_eq!(headers(&read(""), &sent)["traceparent"], between);
        assert!(headers(&read(r#""traceparent":"00-none""#), &HeaderMap::new()).is_empty());
    }
}
