//! JSON in which no object has a name twice: readers would take one or the other.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one object. An object in which a name is there twice is refused, at any depth.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    // Then it cannot be read in two ways.
    is_unambiguous(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten()
}

/// Returns whether this is JSON in which no object has a name twice, at whatever depth.
#[must_use]
pub fn is_unambiguous(json: &[u8]) -> bool {
    serde_json::from_slice::<Any>(json).is_ok()
}

/// Anything in which no object has a name twice.
struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)?;
        Ok(Self)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a name twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        // As text: a name that is written with escapes is the same name.
        while let Some((name, Any)) = members.next_entry::<String, Any>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<Any>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
