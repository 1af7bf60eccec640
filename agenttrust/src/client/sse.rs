//! Server-sent events, read as they come in.
//!
//! Stricter than a browser: what cannot be read is an error, because an event that is passed over may
//! be the one that mattered.

use std::collections::VecDeque;

use crate::transport::{TransportError, TransportErrorKind};

/// The longest event, in bytes, where nothing else is said.
const EVENT_LIMIT: usize = 64 * 1024;

/// An event of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// The events of a stream of bytes, wherever that is cut.
#[derive(Debug)]
pub(super) struct Events {
    /// The longest event, in bytes.
    limit: usize,
    ready: VecDeque<Event>,
    line: Vec<u8>,
    /// The event that is being read; `None` before its first field.
    event: Option<Event>,
    /// A line that ended with `\r` may end with `\n` as well.
    after_return: bool,
    begun: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self::up_to(EVENT_LIMIT)
    }
}

impl Events {
    /// Returns events that are at most so many bytes long.
    pub(super) fn up_to(limit: usize) -> Self {
        Self {
            limit,
            ready: VecDeque::new(),
            line: Vec::new(),
            event: None,
            after_return: false,
            begun: false,
        }
    }

    /// Returns the next whole event that came in.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// Takes in what came. After an error there is no more to be read.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line()?;
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                    if self.line.len() + self.size() > self.limit {
                        return Err(unreadable(format!(
                            "an event is longer than {} bytes",
                            self.limit
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.event.as_ref().map_or(0, |event| event.name.len() + event.data.len())
    }

    fn end_line(&mut self) -> Result<(), TransportError> {
        let line = std::mem::take(&mut self.line);
        let line = str::from_utf8(&line)
            .map_err(|error| unreadable(format!("an event is no UTF-8: {error}")))?;
        let begun = std::mem::replace(&mut self.begun, true);
        let line = if begun { line } else { line.strip_prefix('\u{feff}').unwrap_or(line) };
        if line.is_empty() {
            self.ready.extend(self.event.take());
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.get_or_insert_default().name),
            "data" => {
                let event = self.event.get_or_insert_default();
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            // A comment, which begins with the colon, or a field that says nothing of what the event is.
            _ => {}
        }
        Ok(())
    }
}

fn unreadable(why: String) -> TransportError {
    TransportError::new(TransportErrorKind::Broken, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Event> {
        let mut events = Events::default();
        for piece in pieces {
            events.feed(piece.as_ref()).unwrap();
        }
        std::iter::from_fn(|| events.next()).collect()
    }

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    const STREAM: &str = "\u{feff}event: ready\ndata: {}\n\n: a comment\n\nid: 7\nretry: 1\n\
        event:revocation\r\ndata: {\"ä\":\r\ndata: 1}\r\n\r\nevent: lagged\r\revent: cut off\n";

    fn all() -> [Event; 3] {
        [event("ready", "{}"), event("revocation", "{\"ä\":\n1}"), event("lagged", "")]
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        assert_eq!(events([STREAM]), all());
        assert_eq!(events(STREAM.as_bytes().iter().map(std::slice::from_ref)), all());
        for cut in 0..STREAM.len() {
            let (one, other) = STREAM.as_bytes().split_at(cut);
            assert_eq!(events([one, other]), all(), "cut at {cut}");
        }
    }

    /// Returns how many of these pieces are taken in before they are too much.
    fn taken(piece: &[u8]) -> usize {
        let mut events = Events::default();
        let most = 2 * EVENT_LIMIT / piece.len();
        let taken = (0..most).take_while(|_| events.feed(piece).is_ok()).count();
        assert!(taken < most, "it was never too much");
        taken
    }

    #[test]
    fn event_or_comment_that_never_ends_is_refused() {
        assert_eq!(taken(b"x"), EVENT_LIMIT);
        assert_eq!(taken(b":"), EVENT_LIMIT);
        // What is kept of a line is its ten digits and a line break.
        assert!(taken(b"data: 0123456789\n") <= EVENT_LIMIT / 11);
    }

    #[test]
    fn bound_is_on_each_event_and_not_on_the_stream() {
        let mut events = Events::default();
        for _ in 0..EVENT_LIMIT {
            events.feed(b": still here\n\ndata: {}\n\n").unwrap();
            assert_eq!(events.next(), Some(event("", "{}")));
        }
    }

    #[test]
    fn event_that_is_no_text_is_refused() {
        Events::default().feed(b"data: \xff\n\n").unwrap_err();
    }
}
