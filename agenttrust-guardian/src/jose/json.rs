//! JSON that is read in one way only: of bounded depth, and with no member twice, of which readers take one or the other.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::refusal::JsonFault;

/// How deep JSON of others may nest; issuers write fewer than five.
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
    let _: Unambiguous = serde_json::from_str(text).map_err(|_| JsonFault::Duplicate)?;
    Ok(members)
}

/// Whether more than `most` brackets are ever open at once.
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

/// Any JSON in which no object has a name twice.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a name twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unambiguous, A::Error> {
        let mut names = HashSet::new();
        // As text: a name that is written with escapes is the same name.
        while let Some((name, Unambiguous)) = members.next_entry::<String, Unambiguous>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}
