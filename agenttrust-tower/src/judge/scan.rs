//! Looks in an answer, while it passes by, for the one member that says how a call went. Kept are only the place in the
//! text and the id of the request that it answers.

use serde_json::Value;

/// The greatest depth that is scanned.
const DEEPEST: usize = 512;
/// The longest of the keys and words that are looked for, and one more.
const WORD: usize = 8;
/// The longest id that is kept, as it is written.
const ID: usize = 1_024;

/// The result of a call, as an answer says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// An answer with an `error`.
    Error,
    /// An answer with a `result` that says `isError: true`.
    ToolError,
    /// An answer with any other `result`.
    Success,
}

/// Reads one JSON text, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The containers that are open, from the outside in: whether each is an object.
    open: Vec<bool>,
    mode: Mode,
    /// Whether a key comes next, in an object.
    key_next: bool,
    /// The beginning of the key or the word that is being read.
    word: Word,
    /// The key whose value we are in, at the top and in `result`.
    top: Key,
    inner: Key,
    seen: Seen,
    /// The value of `id` at the top, as it is written.
    id: Vec<u8>,
    lost: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Between,
    Text {
        escaped: bool,
    },
    Bare,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Id,
    Method,
    Error,
    Result,
    IsError,
}

#[derive(Debug, Default)]
struct Seen {
    method: bool,
    error: bool,
    result: bool,
    is_error: bool,
}

#[derive(Debug, Default)]
struct Word {
    bytes: [u8; WORD],
    length: usize,
}

impl Word {
    fn clear(&mut self) {
        self.length = 0;
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    fn is(&self, word: &[u8]) -> bool {
        self.bytes.get(..self.length) == Some(word)
    }
}

impl Scan {
    pub(super) fn push(&mut self, byte: u8) {
        if self.is_of_id(byte) && self.id.len() <= ID {
            self.id.push(byte);
        }
        match self.mode {
            Mode::Text { escaped: true } => {
                self.word.push(byte);
                self.mode = Mode::Text { escaped: false };
            }
            Mode::Text { escaped: false } => match byte {
                b'"' => self.end_text(),
                b'\\' => {
                    self.word.push(byte);
                    self.mode = Mode::Text { escaped: true };
                }
                _ => self.word.push(byte),
            },
            Mode::Bare if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.word.push(byte);
            }
            Mode::Bare => {
                self.end_bare();
                self.between(byte);
            }
            Mode::Between => self.between(byte),
        }
    }

    /// Returns what the text said, if it was the answer to a request, and all of it: not one of the server's own
    /// messages.
    pub(super) fn reply(&self) -> Option<Reply> {
        let Seen { method, error, result, is_error } = self.seen;
        let is_whole = self.open.is_empty() && self.mode == Mode::Between;
        match (method || self.lost || !is_whole, error, result, is_error) {
            (true, ..) | (_, false, false, _) => None,
            (_, true, ..) => Some(Reply::Error),
            (_, _, true, true) => Some(Reply::ToolError),
            (_, _, true, false) => Some(Reply::Success),
        }
    }

    /// Returns the id of the request that the text answers; none where it is longer than any.
    pub(super) fn id(&self) -> Option<Value> {
        serde_json::from_slice(self.id.get(..self.id.len().min(ID))?).ok()
    }

    fn is_of_id(&self, byte: u8) -> bool {
        let is_in_text = matches!(self.mode, Mode::Text { .. });
        self.top == Key::Id
            && self.open.len() == 1
            && !self.key_next
            && (is_in_text || byte == b'"' || byte == b'-' || byte.is_ascii_alphanumeric())
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.word.clear();
                self.mode = Mode::Text { escaped: false };
            }
            b'{' | b'[' => {
                self.value(false);
                self.lost |= self.open.len() >= DEEPEST;
                if !self.lost {
                    self.open.push(byte == b'{');
                }
                self.key_next = byte == b'{';
            }
            b'}' | b']' => {
                self.open.pop();
                self.key_next = false;
            }
            b',' => self.key_next = self.open.last() == Some(&true),
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                self.word.clear();
                self.word.push(byte);
                self.mode = Mode::Bare;
            }
        }
    }

    fn end_text(&mut self) {
        self.mode = Mode::Between;
        if !self.key_next {
            return self.value(false);
        }
        self.key_next = false;
        match self.open.len() {
            1 => {
                self.inner = Key::Other;
                self.top = if self.word.is(b"id") {
                    Key::Id
                } else if self.word.is(b"method") {
                    Key::Method
                } else if self.word.is(b"error") {
                    Key::Error
                } else if self.word.is(b"result") {
                    Key::Result
                } else {
                    Key::Other
                };
            }
            2 if self.top == Key::Result => {
                let is_error = self.word.is(b"isError");
                self.inner = if is_error { Key::IsError } else { Key::Other };
            }
            _ => {}
        }
    }

    fn end_bare(&mut self) {
        self.mode = Mode::Between;
        let null = self.word.is(b"null");
        if self.word.is(b"true")
            && self.open.len() == 2
            && self.top == Key::Result
            && self.inner == Key::IsError
        {
            self.seen.is_error = true;
        }
        self.value(null);
    }

    /// Notes that a value begins or is over.
    fn value(&mut self, null: bool) {
        if self.open.len() != 1 || self.open.first() != Some(&true) {
            return;
        }
        match self.top {
            Key::Method => self.seen.method = true,
            Key::Error => self.seen.error |= !null,
            Key::Result => self.seen.result = true,
            Key::Other | Key::Id | Key::IsError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Option<Reply> {
        let mut scan = Scan::default();
        text.bytes().for_each(|byte| scan.push(byte));
        scan.reply()
    }

    #[test]
    fn an_answer_says_how_the_call_went() {
        for (text, said) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}"#,
                Reply::ToolError,
            ),
            (r#"{"result":{"isError" : true , "content":[]},"id":1}"#, Reply::ToolError),
            (r#"{"result":{"isError":false}}"#, Reply::Success),
            (r#"{"result":{"content":[{"isError":true}]}}"#, Reply::Success),
            (r#"{"result":{"structuredContent":{"isError":true}}}"#, Reply::Success),
            (r#"{"isError":true,"result":{}}"#, Reply::Success),
            (r#"{"result":{"text":"\"isError\":true,}"}}"#, Reply::Success),
            (r#"{"result":{"a":"isError","b":true}}"#, Reply::Success),
            (r#"{"result":null,"error":null}"#, Reply::Success),
            (r#"{"id":1,"error":{"code":-1}}"#, Reply::Error),
            (r#"{"error":{"isError":true},"id":1}"#, Reply::Error),
        ] {
            assert_eq!(reply(text), Some(said), "{text}");
        }
    }

    #[test]
    fn id_is_the_one_at_the_top_however_it_is_written() {
        for (text, id) in [
            (r#"{"jsonrpc":"2.0","id":1,"result":{"id":2}}"#, "1"),
            (r#"{"result":{"id":2},"id" : "a\"\u0062" ,"jsonrpc":"2.0"}"#, r#""a\"b""#),
            (r#"{"id":-7}"#, "-7"),
            (r#"{"id":[1],"result":{}}"#, ""),
            (r#"{"params":{"id":1}}"#, ""),
        ] {
            let mut scan = Scan::default();
            text.bytes().for_each(|byte| scan.push(byte));
            assert_eq!(scan.id().map(|id| id.to_string()).unwrap_or_default(), id, "{text}");
        }
        let mut scan = Scan::default();
        format!("{{\"id\":\"{}\"}}", "x".repeat(ID)).bytes().for_each(|byte| scan.push(byte));
        assert_eq!(scan.id(), None);
    }

    #[test]
    fn messages_of_the_server_and_other_texts_are_no_answers() {
        for text in [
            r#"{"method":"notifications/progress","params":{"result":{}}}"#,
            r#"{"id":7,"method":"sampling/createMessage","params":{"isError":true}}"#,
            r#"{"params":{"result":{"isError":true}}}"#,
            r#"[{"result":{}}]"#,
            r#""result""#,
            "",
            "<html>",
        ] {
            assert_eq!(reply(text), None, "{text}");
        }
        assert_eq!(reply(&format!("{{\"result\":{}", "[".repeat(10_000))), None);
    }
}
