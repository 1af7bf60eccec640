//! A line of the server that cannot be read: what it was meant as, and to which request it was the answer.

use serde_json::Value;

/// The kind of such a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MalformedLine {
    /// A line that servers print beside their messages.
    Noise,
    /// A question, or a notification.
    Told,
    /// An answer, to the request of this id where the id is known.
    Answer(Option<Value>),
}

impl MalformedLine {
    /// Looks at a line, which begins and ends with no space.
    pub(super) fn of(text: &[u8]) -> Self {
        if let Some(list) = text.strip_prefix(b"[") {
            // More than one at a time: which ones is not looked for.
            return match Self::of_object(list.trim_ascii_start()) {
                Self::Answer(_) => Self::Answer(None),
                other => other,
            };
        }
        Self::of_object(text)
    }

    fn of_object(text: &[u8]) -> Self {
        let (mut is_message, mut tells, mut ids) = (false, false, Vec::new());
        for (name, value) in Members::of(text) {
            match name {
                b"jsonrpc" => is_message = true,
                b"method" => tells = true,
                b"id" => ids.push(value),
                _ => {}
            }
        }
        match (is_message, tells) {
            (false, _) => Self::Noise,
            (true, true) => Self::Told,
            (true, false) => Self::Answer(match *ids {
                [id] => read(id),
                _ => None,
            }),
        }
    }
}

/// Returns the text or the number with which this begins.
fn read(text: &[u8]) -> Option<Value> {
    let is_id = matches!(text.first(), Some(b'"' | b'-' | b'0'..=b'9'));
    let values = is_id.then(|| serde_json::Deserializer::from_slice(text).into_iter::<Value>());
    values?.next()?.ok()
}

/// The members of an object, by name, each with all of the text that follows it.
struct Members<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Members<'a> {
    /// Returns those of the object with which this begins, up to its end.
    fn of(text: &'a [u8]) -> Self {
        let rest = if text.starts_with(b"{") { text } else { &[] };
        Self { rest, depth: 0 }
    }

    /// Returns what there is up to the end of a text, of which the first quote was read.
    fn text(&mut self) -> Option<&'a [u8]> {
        let text = self.rest;
        let mut is_escaped = false;
        let end = text.iter().position(|byte| {
            let is_end = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            is_end
        });
        let (text, rest) = text.split_at_checked(end?)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth <= 1 => self.rest = &[],
                b'}' | b']' => self.depth -= 1,
                b'"' => {
                    let name = self.text()?;
                    let value = self.rest.trim_ascii_start().strip_prefix(b":");
                    if let Some(value) = value.filter(|_| self.depth == 1) {
                        return Some((name, value.trim_ascii_start()));
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(id: Value) -> MalformedLine {
        MalformedLine::Answer(Some(id))
    }

    #[test]
    fn answer_that_is_no_json_says_to_which_request_it_is_wherever_that_stands() {
        for (text, malformed) in [
            (r#"{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}"#, answer(json!(1))),
            (
                r#"{"result":{"a":[Infinity,"}\"{"],"id":7},"id" : "x\"y","jsonrpc":"2.0"}"#,
                answer(json!("x\"y")),
            ),
            (r#"{"jsonrpc":"2.0","id":-3,"result":{"a":"#, answer(json!(-3))),
            (r#"{"jsonrpc":"2.0","id":4,"result":{"a":"cut off"#, answer(json!(4))),
            (r#"{"jsonrpc":"2.0","result":{"a":NaN}}"#, MalformedLine::Answer(None)),
            (r#"{"jsonrpc":"2.0","id":NaN,"result":{}}"#, MalformedLine::Answer(None)),
            (r#"{"jsonrpc":"2.0","id":null,"result":NaN}"#, MalformedLine::Answer(None)),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"result":NaN}"#, MalformedLine::Answer(None)),
            (r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#, MalformedLine::Answer(None)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":NaN}"#, MalformedLine::Told),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":NaN}}"#,
                MalformedLine::Told,
            ),
        ] {
            assert_eq!(MalformedLine::of(text.as_bytes()), malformed, "{text}");
        }
        assert_eq!(
            MalformedLine::of(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}"),
            answer(json!(1))
        );
    }

    #[test]
    fn what_is_printed_beside_is_no_message() {
        for text in [
            "",
            "hello",
            "{",
            "[]",
            "[1]",
            r#"{"a":1}"#,
            r#"{"a":{"jsonrpc":"2.0"}}"#,
            r#""jsonrpc":1"#,
        ] {
            assert_eq!(MalformedLine::of(text.as_bytes()), MalformedLine::Noise, "{text}");
        }
    }
}
