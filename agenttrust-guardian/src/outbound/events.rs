//! Server-sent events, read as they come and written again by the Guardian: no event is longer than it may be, and
//! each is handed on as soon as it is whole.

use bytes::Bytes;

/// The longest event, all of its lines together.
pub(crate) const EVENT_MAX_BYTES: usize = 4 << 20;

/// A stream that cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// An event is longer than it may be.
    TooLong,
    /// A line is no text.
    NotUtf8,
}

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<String>,
    pub(crate) data: Option<String>,
}

impl Event {
    /// Creates an event that says this.
    pub(crate) fn of(data: String) -> Self {
        Self { data: Some(data), ..Self::default() }
    }

    /// Returns the event as it is sent.
    pub(crate) fn write(&self) -> Bytes {
        let mut text = String::with_capacity(self.data.as_ref().map_or(0, String::len) + 64);
        let fields = [("event", &self.name), ("id", &self.id), ("retry", &self.retry)];
        for (field, value) in fields {
            if let Some(value) = value {
                text.extend([field, ": ", value, "\n"]);
            }
        }
        for line in self.data.iter().flat_map(|data| data.split('\n')) {
            text.extend(["data: ", line, "\n"]);
        }
        text.push('\n');
        text.into()
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The next piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Event(Event),
    /// A line that says nothing, but that the other side is there.
    Comment,
}

/// The reading of a stream of events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The bytes that came and were not read yet.
    rest: Vec<u8>,
    /// The number of those bytes that were read, or hold no end of a line.
    read: usize,
    looked: usize,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    begun: bool,
    event: Event,
    /// The length of the event by now.
    length: usize,
}

impl Events {
    /// Takes in what came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.rest.drain(..self.read);
        self.looked = self.looked.saturating_sub(self.read);
        self.read = 0;
        self.rest.extend_from_slice(bytes);
    }

    /// Returns how much is held that was not handed on.
    pub(crate) fn held(&self) -> usize {
        self.rest.len() + self.length
    }

    /// Returns the next event or comment, once it is there whole.
    ///
    /// # Errors
    ///
    /// [`Unreadable`]; nothing can be read after it.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Unreadable> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                self.length = 0;
                if !event.is_empty() {
                    return Ok(Some(Piece::Event(event)));
                }
            } else if line.starts_with(':') {
                return Ok(Some(Piece::Comment));
            } else {
                self.field(&line)?;
            }
        }
        Ok(None)
    }

    /// Returns the next line, without its end.
    fn line(&mut self) -> Result<Option<String>, Unreadable> {
        if self.after_return && self.rest.get(self.read) == Some(&b'\n') {
            self.read += 1;
            self.after_return = false;
        }
        self.looked = self.looked.max(self.read);
        let unseen = self.rest.get(self.looked..).unwrap_or_default();
        let Some(end) = unseen.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.looked = self.rest.len();
            self.fits(self.rest.len() - self.read)?;
            return Ok(None);
        };
        let end = self.looked + end;
        self.after_return = self.rest.get(end) == Some(&b'\r');
        let mut line = self.rest.get(self.read..end).unwrap_or_default();
        if !std::mem::replace(&mut self.begun, true) {
            // A stream may begin with a byte-order mark, which is no part of its first line.
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        let line = std::str::from_utf8(line).map_err(|_| Unreadable::NotUtf8)?.to_owned();
        self.read = end + 1;
        self.looked = self.read;
        Ok(Some(line))
    }

    fn field(&mut self, line: &str) -> Result<(), Unreadable> {
        self.fits(line.len())?;
        self.length += line.len() + 1;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.event.data {
                Some(data) => data.extend(["\n", value]),
                None => self.event.data = Some(value.to_owned()),
            },
            "event" => self.event.name = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.event.retry = Some(value.to_owned());
            }
            // Nothing that a reader goes by.
            _ => {}
        }
        Ok(())
    }

    fn fits(&self, more: usize) -> Result<(), Unreadable> {
        match self.length + more > EVENT_MAX_BYTES {
            true => Err(Unreadable::TooLong),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Piece>, Unreadable> {
        let (mut events, mut all) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece);
            while let Some(piece) = events.next()? {
                all.push(piece);
            }
        }
        Ok(all)
    }

    #[test]
    fn stream_reads_the_same_wherever_it_is_cut_and_however_its_lines_end() {
        let lines = "id: 7\nevent: message\ndata: {\"a\":\ndata: 1}\n\n: hello\nretry: 10\ndata:x\n\nid: 8\ndata:\n\n";
        let expected = [
            Piece::Event(Event {
                name: Some("message".to_owned()),
                id: Some("7".to_owned()),
                retry: None,
                data: Some("{\"a\":\n1}".to_owned()),
            }),
            Piece::Comment,
            Piece::Event(Event {
                retry: Some("10".to_owned()),
                data: Some("x".to_owned()),
                ..Event::default()
            }),
            Piece::Event(Event {
                id: Some("8".to_owned()),
                data: Some(String::new()),
                ..Event::default()
            }),
        ];
        for ends in ["\n", "\r\n", "\r"] {
            let stream = format!("\u{feff}{}", lines.replace('\n', ends)).into_bytes();
            for cut in 0..=stream.len() {
                let (first, second) = stream.split_at(cut);
                assert_eq!(read(&[first, second]).unwrap(), expected, "{ends:?} {cut}");
            }
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(read(&single).unwrap(), expected, "{ends:?}");
        }
    }

    #[test]
    fn event_is_written_so_that_it_reads_the_same() {
        for event in [
            Event::of("{}".to_owned()),
            Event::of("a\nb\n".to_owned()),
            Event { id: Some("1".to_owned()), data: Some(String::new()), ..Event::default() },
            Event { retry: Some("5".to_owned()), ..Event::default() },
        ] {
            assert_eq!(read(&[&event.write()]).unwrap(), [Piece::Event(event)]);
        }
    }

    #[test]
    fn event_without_end_is_refused_and_many_short_ones_are_not() {
        let long = vec![b'x'; EVENT_MAX_BYTES + 1];
        assert_eq!(read(&[&long]), Err(Unreadable::TooLong));
        assert_eq!(read(&[b"data: ", &long, b"\n\n"]), Err(Unreadable::TooLong));
        // Line by line, and in pieces.
        let line = format!("data: {}\n", "x".repeat(60_000)).into_bytes();
        let lines: Vec<&[u8]> = (0..100).map(|_| line.as_slice()).collect();
        assert_eq!(read(&lines), Err(Unreadable::TooLong));
        let event = [line.as_slice(), b"\n"].concat();
        let events: Vec<&[u8]> = (0..100).map(|_| event.as_slice()).collect();
        assert_eq!(read(&events).unwrap().len(), 100);
        assert_eq!(read(&[b"data: \xff\n"]), Err(Unreadable::NotUtf8));
    }

    #[test]
    fn what_was_read_is_not_kept() {
        let mut events = Events::default();
        for _ in 0..10_000 {
            events.push(b": nothing\n\n");
            while events.next().unwrap().is_some() {}
        }
        assert!(events.rest.len() < 100);
    }
}
