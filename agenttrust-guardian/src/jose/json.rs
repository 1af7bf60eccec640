//! JSON that is read in one way only: of bounded depth, and with no member twice, of which readers take one or the
//! other.

use agenttrust::internal::dpop::is_unambiguous;
use serde_json::{Map, Value};

use super::refusal::JsonFault;

/// The depth to which JSON of others may nest; issuers write fewer than five levels.
pub(super) const MAX_DEPTH: usize = 16;

/// Reads an object. Its depth is looked at before anything is parsed.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonFault> {
    let text = str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
    if is_deeper(text, MAX_DEPTH) {
        return Err(JsonFault::TooDeep);
    }
    let read: Value = serde_json::from_str(text).map_err(|_| JsonFault::Broken)?;
    let Value::Object(members) = read else { return Err(JsonFault::NoObject) };
    // Reading kept the last of two members of one name.
    if is_unambiguous(bytes) { Ok(members) } else { Err(JsonFault::Duplicate) }
}

/// Returns whether more than `most` brackets are ever open at once.
fn is_deeper(text: &str, most: usize) -> bool {
    let (mut open, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => open += 1,
            b']' | b'}' if !quoted => open = open.saturating_sub(1),
            _ => {}
        }
        if open > most {
            return true;
        }
    }
    false
}
