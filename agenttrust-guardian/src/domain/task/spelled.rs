//! How the numbers of a request are written. What a reader takes for one number its sender may have meant as two:
//! 2^53 and 2^53 + 1, or 1 and 1.0.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// The longest integer that is the same however it is read, in digits.
const PLAIN_DIGITS: usize = 15;

/// The place of a value, in so many bytes whatever its path.
type Place = [u8; 32];

/// The numbers that are written otherwise than RFC 8785 writes them, each with where it stands; in no order of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spelled(Vec<Place>);

#[derive(Deserialize)]
struct Outer<'t> {
    #[serde(borrow)]
    params: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Inner<'t> {
    #[serde(borrow)]
    message: Option<&'t RawValue>,
    #[serde(borrow)]
    metadata: Option<&'t RawValue>,
}

impl Spelled {
    /// Reads those in the message and the metadata of a request, which is one JSON text that means one thing only.
    pub(crate) fn of_request(body: &[u8]) -> Self {
        let mut found = Vec::new();
        let outer = serde_json::from_slice::<Outer<'_>>(body).ok().and_then(|outer| outer.params);
        let inner = outer.and_then(|text| serde_json::from_str::<Inner<'_>>(text.get()).ok());
        if let Some(Inner { message, metadata }) = inner {
            for (name, raw) in [("message", message), ("metadata", metadata)] {
                let Some(raw) = raw else { continue };
                let mut reader = Reader { text: raw.get(), found: &mut found };
                reader.value(below(&[0; 32], b'.', name.as_bytes()));
            }
        }
        found.sort_unstable();
        Self(found)
    }

    /// Adds them to the digest of what they stand in. Where there are none it is as it was.
    pub(crate) fn add_to(&self, digest: &mut Sha256) {
        self.0.iter().for_each(|found| digest.update(found));
    }
}

/// Returns a place in another one.
fn below(place: &Place, kind: u8, name: &[u8]) -> Place {
    let digest = Sha256::new().chain_update(place).chain_update([kind]).chain_update(name);
    digest.finalize().into()
}

/// A reader of a text that was read before, so that nothing in it is wrong.
struct Reader<'t, 'f> {
    /// The rest of the text.
    text: &'t str,
    found: &'f mut Vec<Place>,
}

impl<'t> Reader<'t, '_> {
    fn value(&mut self, place: Place) {
        self.text = self.text.trim_start();
        match self.text.bytes().next() {
            Some(b'{') => self.items(b'}', |reader, _| {
                let name = reader.string();
                let name = serde_json::from_str::<String>(name).unwrap_or_default();
                reader.text = reader.text.trim_start();
                reader.skip(1);
                reader.value(below(&place, b'.', name.as_bytes()));
            }),
            Some(b'[') => self.items(b']', |reader, number: u64| {
                reader.value(below(&place, b'[', &number.to_be_bytes()));
            }),
            Some(b'"') => {
                self.string();
            }
            _ => self.bare(&place),
        }
    }

    /// Reads the entries of a list or an object, one after the other.
    fn items(&mut self, end: u8, item: impl Fn(&mut Self, u64)) {
        self.skip(1);
        for number in 0.. {
            self.text = self.text.trim_start();
            match self.text.bytes().next() {
                None => return,
                Some(byte) if byte == end => return self.skip(1),
                Some(b',') => self.skip(1),
                Some(_) => item(self, number),
            }
        }
    }

    /// Returns a string, with its quotes.
    fn string(&mut self) -> &'t str {
        self.text = self.text.trim_start();
        let mut escaped = false;
        let ends = |(_, byte): &(usize, u8)| {
            let is_end = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            is_end
        };
        let end = self.text.bytes().enumerate().skip(1).find(ends);
        self.take(end.map_or(self.text.len(), |(end, _)| end + 1))
    }

    /// Adds a number or a word.
    fn bare(&mut self, place: &Place) {
        let ends = |it: char| matches!(it, ',' | ']' | '}') || it.is_ascii_whitespace();
        let text = self.take(self.text.find(ends).unwrap_or(self.text.len()));
        if !is_plain(text) {
            self.found.push(below(place, b'=', text.as_bytes()));
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.take(bytes);
    }

    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.text.split_at_checked(bytes).unwrap_or((self.text, ""));
        self.text = rest;
        taken
    }
}

/// Returns whether it is a word, or a number as RFC 8785 writes it.
fn is_plain(text: &str) -> bool {
    let is_digits = text.bytes().all(|it| it.is_ascii_digit());
    if is_digits && text.len() <= PLAIN_DIGITS || matches!(text, "true" | "false" | "null") {
        return true;
    }
    let read = serde_json::from_str::<Value>(text).ok();
    let written = read.and_then(|value| serde_json_canonicalizer::to_string(&value).ok());
    written.is_some_and(|written| written == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data: &str) -> Spelled {
        let body = format!(r#"{{"params":{{"message":{data},"other":1.0}},"id":1e0}}"#);
        Spelled::of_request(body.as_bytes())
    }

    #[test]
    fn number_is_told_from_another_by_its_digits_and_its_place() {
        let texts = [
            "9007199254740993",
            "18446744073709551617",
            "1.0",
            "1e0",
            "0.10000000000000001",
            "-0",
            "1E0",
            "[1.0]",
            "[1,1.0]",
            "[[1.0]]",
            r#"{"a":1.0}"#,
            r#"{"b":1.0}"#,
            r#"{"":1.0}"#,
            r#"{"a":[1.0]}"#,
        ];
        for (place, one) in texts.iter().enumerate() {
            assert_ne!(of(one), Spelled::default(), "{one}");
            for other in texts.iter().skip(place + 1) {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn number_that_has_one_form_only_and_what_is_no_number_add_nothing() {
        for text in [
            "1",
            "0",
            "-1",
            "0.1",
            "123456789012345",
            "9007199254740991",
            "true",
            "null",
            "[]",
            "{}",
            "\"1.0\"",
            r#"{"1.0":"\"1.0","b":"\\"}"#,
            "[1, 2,\n3 ]",
            "1e+21",
            "\"ü 1.0\"",
        ] {
            assert_eq!(of(text), Spelled::default(), "{text}");
        }
    }

    #[test]
    fn order_and_space_make_no_difference() {
        let one = of(r#"{"a":1.0,"b":[2.0,{"c":"}"}]}"#);
        assert_eq!(one, of("{ \"b\" : [ 2.0 , { \"\\u0063\" : \"}\" } ] ,\n \"\\u0061\": 1.0 }"));
        assert_eq!(one.0.len(), 2);
    }

    #[test]
    fn what_is_no_request_has_none() {
        for body in
            ["", "[]", r#"{"params":[1.0]}"#, r#"{"params":1.0}"#, r#"{"params":{"message":null}}"#]
        {
            assert_eq!(Spelled::of_request(body.as_bytes()), Spelled::default(), "{body}");
        }
    }
}
