//! JSON that tells apart what the program tells apart.
//!
//! `serde_json::to_value` writes `NaN` and `None` as one `null`, keeps the last of two equal keys, and
//! cannot see `Some(None)`. What an approval is bound to must not: here each of these is refused.

use std::fmt::Display;

use serde::ser::{self, Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// Returns `value` as JSON.
///
/// # Errors
///
/// [`Inexact`] when JSON could not tell it from another value.
pub fn exact<T: Serialize + ?Sized>(value: &T) -> Result<Value, Inexact> {
    value.serialize(Exact)
}

/// The reason why a value has no exact JSON form. It says nothing of the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inexact {
    /// Infinite, not a number, or beyond 64 bits.
    #[error("it holds a number that JSON cannot carry")]
    Number,
    /// Two entries of one name, as a flattened field can make.
    #[error("it holds two entries of one name")]
    TwiceTheSameKey,
    /// A key that is neither a string nor an integer.
    #[error("it holds a map whose keys are no strings")]
    Key,
    /// `Some(None)`, which JSON writes as it writes `None`.
    #[error("it holds a `Some` of nothing, which JSON cannot tell from `None`")]
    SomeOfNothing,
    /// No value that a caller asked for.
    #[error("a framework hands it in beside the input")]
    HandedIn,
    /// An error of the value's own `Serialize`; its message may hold the value.
    #[error("its `Serialize` failed")]
    Custom,
}

impl ser::Error for Inexact {
    fn custom<T: Display>(_: T) -> Self {
        Self::Custom
    }
}

struct Exact;

type Written = Result<Value, Inexact>;

impl Serializer for Exact {
    type Ok = Value;
    type Error = Inexact;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    fn serialize_bool(self, value: bool) -> Written {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Written {
        Ok(Value::Number(value.into()))
    }

    fn serialize_i128(self, value: i128) -> Written {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => self.serialize_u64(value),
            (_, Ok(value)) => self.serialize_i64(value),
            _ => Err(Inexact::Number),
        }
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Written {
        Ok(Value::Number(value.into()))
    }

    fn serialize_u128(self, value: u128) -> Written {
        u64::try_from(value)
            .map_err(|_| Inexact::Number)
            .and_then(|value| self.serialize_u64(value))
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Written {
        Number::from_f64(value).map(Value::Number).ok_or(Inexact::Number)
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(Value::String(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Written {
        Ok(Value::String(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        Ok(value.to_vec().into())
    }

    fn serialize_none(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        match exact(value)? {
            Value::Null => Err(Inexact::SomeOfNothing),
            value => Ok(value),
        }
    }

    fn serialize_unit(self) -> Written {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        exact(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        Ok(tagged(Some(variant), exact(value)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Sequence, Inexact> {
        // The length is what the value says of itself: a hint, not a promise to allocate for.
        let values = Vec::with_capacity(length.unwrap_or(0).min(1024));
        Ok(Sequence { variant: None, values })
    }

    fn serialize_tuple(self, length: usize) -> Result<Sequence, Inexact> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Sequence, Inexact> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence, Inexact> {
        Ok(Sequence { variant: Some(variant), values: Vec::new() })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Inexact> {
        Ok(Entries { variant: None, map: Map::new(), key: None })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, Inexact> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries, Inexact> {
        Ok(Entries { variant: Some(variant), map: Map::new(), key: None })
    }
}

fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), value)])),
        None => value,
    }
}

struct Sequence {
    variant: Option<&'static str>,
    values: Vec<Value>,
}

macro_rules! sequence {
    ($($kind:ident :: $push:ident),* $(,)?) => { $(
        impl ser::$kind for Sequence {
            type Ok = Value;
            type Error = Inexact;

            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Inexact> {
                self.values.push(exact(value)?);
                Ok(())
            }

            fn end(self) -> Written {
                Ok(tagged(self.variant, Value::Array(self.values)))
            }
        }
    )* };
}

sequence! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

struct Entries {
    variant: Option<&'static str>,
    map: Map<String, Value>,
    key: Option<String>,
}

impl Entries {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Inexact> {
        match self.map.insert(key, exact(value)?) {
            None => Ok(()),
            Some(_) => Err(Inexact::TwiceTheSameKey),
        }
    }
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = Inexact;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Inexact> {
        self.key = Some(match exact(key)? {
            Value::String(key) => key,
            Value::Number(key) if !key.is_f64() => key.to_string(),
            _ => return Err(Inexact::Key),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Inexact> {
        let key = self.key.take().ok_or(Inexact::Key)?;
        self.insert(key, value)
    }

    fn end(self) -> Written {
        Ok(tagged(self.variant, Value::Object(self.map)))
    }
}

macro_rules! entries {
    ($($kind:ident),* $(,)?) => { $(
        impl ser::$kind for Entries {
            type Ok = Value;
            type Error = Inexact;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Inexact> {
                self.insert(key.to_owned(), value)
            }

            fn end(self) -> Written {
                Ok(tagged(self.variant, Value::Object(self.map)))
            }
        }
    )* };
}

entries!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }

    #[derive(Serialize)]
    struct Flat {
        path: &'static str,
        #[serde(flatten)]
        more: BTreeMap<&'static str, &'static str>,
    }

    #[test]
    fn what_json_can_hold_is_written_as_serde_json_writes_it() {
        let shapes = [Shape::Unit, Shape::New(1), Shape::Tuple(1, 2), Shape::Struct { a: 1 }];
        let value = (
            shapes,
            BTreeMap::from([(1, Some(true)), (2, None)]),
            (u64::MAX, i64::MIN, 1.5_f32, -0.25, 'x', "é", ()),
            Flat { path: "a", more: BTreeMap::from([("b", "c")]) },
            json!({ "nested": [1, { "deep": null }] }),
        );
        assert_eq!(exact(&value).unwrap(), serde_json::to_value(&value).unwrap());
    }

    #[test]
    fn what_json_would_confuse_is_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(exact(&[number]), Err(Inexact::Number));
        }
        assert_eq!(exact(&u128::MAX), Err(Inexact::Number));
        assert_eq!(exact(&Some(None::<u8>)), Err(Inexact::SomeOfNothing));
        let twice = Flat { path: "/etc/passwd", more: BTreeMap::from([("path", "/tmp/safe")]) };
        assert_eq!(exact(&twice), Err(Inexact::TwiceTheSameKey));
        assert_eq!(exact(&BTreeMap::from([((1, 2), 3)])), Err(Inexact::Key));
    }
}
