//! Reading JSON that means one thing only: a key that comes twice is refused, since readers differ in which of the two
//! they go by.
//!
//! The text is looked through first, and only then read by `serde_json` itself. The way in which that hands out numbers
//! is its own affair, and another one with its feature `arbitrary_precision`. A value that is read takes many times the
//! memory of its text, so the values are counted before there is any.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The kind of a text.
#[derive(Debug, PartialEq)]
pub enum Text {
    /// An object.
    Object(Map<String, Value>),
    /// A list, which is not read.
    List,
    /// A value of another kind, which is not read.
    Bare,
    /// A text that holds more values than may be, and is not read.
    TooMany,
}

/// Reads a whole text of at most so many values, all that are nested counted. Nested at most 128 deep, as
/// `serde_json` has it.
///
/// # Errors
///
/// Returns why it is not one JSON text that means one thing only.
pub fn parse(text: &[u8], most: usize) -> Result<Text, serde_json::Error> {
    let mut left = most.saturating_add(1);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let looked = OneMeaning { left: &mut left }.deserialize(&mut reader);
    match looked.and_then(|()| reader.end()) {
        Err(_) if left == 0 => return Ok(Text::TooMany),
        looked => looked?,
    }
    match text.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(text).map(Text::Object),
        Some(b'[') => Ok(Text::List),
        _ => Ok(Text::Bare),
    }
}

/// Returns whether every number in a JSON text is the same one once it is read and written again: a whole one of more
/// than 64 bits is not, and neither is another of more digits than a double keeps.
pub(super) fn keeps_numbers(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        match rest {
            [b'"', behind @ ..] => rest = behind_string(behind),
            [b'-' | b'0'..=b'9', ..] => {
                let of_number =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(of_number).count();
                let (number, behind) = rest.split_at_checked(length).unwrap_or_default();
                if !is_kept(number) {
                    return false;
                }
                rest = behind;
            }
            [_, behind @ ..] => rest = behind,
            [] => return true,
        }
    }
}

/// Returns what comes behind a string, of which the first quotation mark was read.
fn behind_string(mut text: &[u8]) -> &[u8] {
    loop {
        match text {
            [b'\\', _, rest @ ..] => text = rest,
            [b'"', rest @ ..] => return rest,
            [_, rest @ ..] => text = rest,
            [] => return text,
        }
    }
}

fn is_kept(number: &[u8]) -> bool {
    let text = std::str::from_utf8(number).unwrap_or_default();
    if !text.contains(['.', 'e', 'E']) {
        return text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    }
    let anew = serde_json::from_slice::<Number>(number).map(|number| number.to_string());
    anew.is_ok_and(|anew| Decimal::of(text) == Decimal::of(&anew))
}

/// The value of a number: its digits without zeros around them, and the power of ten of the last one.
#[derive(PartialEq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(number: &str) -> Self {
        let (is_negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let digits = all.trim_end_matches('0');
        let zeros = all.len() - digits.len();
        let digits = digits.trim_start_matches('0').to_owned();
        let shift = i64::try_from(zeros).unwrap_or(i64::MAX)
            - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        // Zero is zero, whatever it is multiplied by.
        let exponent = match digits.is_empty() {
            true => 0,
            false => exponent.parse().unwrap_or(i64::MAX).saturating_add(shift),
        };
        Self { is_negative, digits, exponent }
    }
}

/// A value without a key that comes twice. Nothing of it is kept.
struct OneMeaning<'a> {
    /// The number of values that there may still be, and one more.
    left: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for OneMeaning<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        *self.left = self.left.saturating_sub(1);
        if *self.left == 0 {
            return Err(D::Error::custom("more values than may be"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneMeaning<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(OneMeaning { left: &mut *self.left })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !keys.insert(key) {
                // Not the key itself: it may be part of an input.
                return Err(A::Error::custom("a key comes twice in one object"));
            }
            members.next_value_seed(OneMeaning { left: &mut *self.left })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &[u8]) -> Result<Text, serde_json::Error> {
        super::parse(text, 1000)
    }

    #[test]
    fn every_value_is_read_as_it_is() {
        let text = r#" {"a":[1,-2,3.5,"x",true,null,{"b":{}}],"":0,"é":"\u00e9"}"#;
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(parsed(text.as_bytes()).unwrap(), Text::Object(value));
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        assert_eq!(parsed(b" [1] ").unwrap(), Text::List);
        assert_eq!(parsed(b"\n1").unwrap(), Text::Bare);
    }

    #[test]
    fn values_are_counted_at_every_depth() {
        for (text, values) in [("{}", 1), (r#"{"a":1}"#, 2), (r#"{"a":[[],{},"",{"b":0}]}"#, 7)] {
            let with = |most| super::parse(text.as_bytes(), most).unwrap();
            assert_eq!(with(values - 1), Text::TooMany, "{text}");
            assert_ne!(with(values), Text::TooMany, "{text}");
        }
        // Whatever follows, it is not read.
        assert_eq!(super::parse(b"[1,2,3,4", 3).unwrap(), Text::TooMany);
    }

    #[test]
    fn a_key_that_comes_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#, r#"{"a":1,"\u0061":2}"#]
        {
            let error = parsed(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("comes twice"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_single_value_is_refused() {
        let deep = "[".repeat(200);
        let lone = r#"{"a":"\ud800"}"#;
        for text in ["", "{", "{}{}", "{} x", "nul", "1e999", "\u{feff}{}", &deep, lone] {
            assert!(parsed(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parsed(b"{\"a\":\"\xff\"}").is_err());
    }
}
