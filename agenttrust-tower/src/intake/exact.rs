//! What was read of a request, as a part of an action's input: exactly, and so that a person can read it.

use std::borrow::Cow;

use agenttrust::internal::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The longest piece of JSON that stands for bytes. A Guardian shows an approver inputs of up to 64 KiB,
/// and the rest of the request needs a place beside them.
const SHOWN_MOST: usize = 48 * 1024;

/// Returns a value that stands for these bytes and for no others: their text, else their base64, else, where
/// those are too long to be shown to a person, their SHA-256 and their length.
pub(crate) fn exact(bytes: &[u8]) -> Value {
    let is_short = |value: &Value| value.to_string().len() <= SHOWN_MOST;
    let read = || (bytes.len() <= SHOWN_MOST).then(|| readable(bytes)).filter(is_short);
    read().unwrap_or_else(|| {
        let digest = Sha256::digest(bytes);
        json!({ "sha256": hex::encode(&digest), "length": bytes.len() })
    })
}

fn readable(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        // A NUL has no place in the text of many a database.
        Ok(text) if !text.contains('\0') => json!({ "text": text }),
        _ => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// Returns the headers among `names` that are there, by name; the error is the reason why one cannot be read.
pub(crate) fn described(
    headers: &HeaderMap,
    names: &[HeaderName],
) -> Result<Option<Value>, Cow<'static, str>> {
    let mut described = Map::new();
    for name in names {
        let mut values = Vec::new();
        for value in headers.get_all(name) {
            let text = value
                .to_str()
                .map_err(|_| format!("the header {name} of the request is not text"))?;
            values.push(Value::from(text));
        }
        match values.len() {
            0 => {}
            1 => {
                described.insert(name.to_string(), values.remove(0));
            }
            _ => {
                described.insert(name.to_string(), values.into());
            }
        }
    }
    Ok((!described.is_empty()).then_some(Value::Object(described)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        assert_eq!(exact(b"10 EUR"), json!({ "text": "10 EUR" }));
        assert_eq!(exact(b""), json!({ "text": "" }));
        assert_eq!(exact(br#"{"a": 1}"#), json!({ "text": "{\"a\": 1}" }));
        assert_eq!(exact(b"\xff\x00"), json!({ "base64": "/wA=" }));
        assert_eq!(exact(b"a\0b"), json!({ "base64": "YQBi" }));
        let long = exact(&vec![b'x'; SHOWN_MOST]);
        assert_eq!(long["length"], SHOWN_MOST);
        assert_eq!(long["sha256"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn no_two_bodies_are_one_value() {
        let escaped = vec![1_u8; SHOWN_MOST / 2];
        let bodies: [&[u8]; 8] =
            [b"", b"/wA=", b"\xff\x00", br#"{"text":"a"}"#, b"a", b"a ", &escaped, &escaped[1..]];
        for (at, one) in bodies.iter().enumerate() {
            for other in &bodies[at + 1..] {
                assert_ne!(exact(one), exact(other));
            }
        }
        assert!(exact(&escaped)["sha256"].is_string(), "six characters each when escaped");
    }
}
