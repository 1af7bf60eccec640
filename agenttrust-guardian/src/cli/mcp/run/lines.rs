//! Lines on their way. Each side has a thread, since a read from standard input cannot be broken off. A short queue is
//! between them, so that a side that sends without end waits for the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::domain::GuardianError;

/// The longest line of either side.
pub(super) const LINE_MAX_BYTES: usize = 16 << 20;
/// The number of lines that may wait to be looked at, and of those that may wait to be written.
const QUEUE: usize = 4;

/// The bytes that were read up to the end of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// The line, without its end.
    Text(Vec<u8>),
    /// The line goes on for longer than a line may, and nothing of it was kept.
    TooLong,
}

/// A reader of lines, each of at most so many bytes.
struct Lines<R> {
    reader: BufReader<R>,
    most: usize,
    /// Whether the rest of a line that was too long is still to come.
    skipping: bool,
}

impl<R: Read> Lines<R> {
    fn new(reader: R, most: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, reader), most, skipping: false }
    }

    /// Returns the next line; `None` at the end. A last line that does not end is one too.
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        loop {
            let piece = match self.reader.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let at_end = piece.is_empty();
            let end = piece.iter().position(|byte| *byte == b'\n');
            let text = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            if !self.skipping && line.len() + text.len() > self.most {
                // Told at once: its end may never come.
                self.skipping = true;
                return Ok(Some(Line::TooLong));
            }
            if !self.skipping {
                line.extend_from_slice(text);
            }
            let used = end.map_or(piece.len(), |end| end + 1);
            self.reader.consume(used);
            match (end.is_some() || at_end, self.skipping) {
                (true, true) if !at_end => self.skipping = false,
                (true, false) if !(at_end && line.is_empty()) => return Ok(Some(Line::Text(line))),
                (true, _) => return Ok(None),
                (false, _) => {}
            }
        }
    }
}

/// Reads lines in a thread of their own, until the end or until nothing wants them any more.
pub(super) fn read(
    name: &str,
    from: impl Read + Send + 'static,
) -> Result<mpsc::Receiver<Line>, GuardianError> {
    let (lines, received) = mpsc::channel(QUEUE);
    start(name, move || {
        let mut from = Lines::new(from, LINE_MAX_BYTES);
        while let Ok(Some(line)) = from.next() {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    })?;
    Ok(received)
}

/// The lines that are written to one side.
#[derive(Clone, Debug)]
pub(super) struct Out {
    lines: mpsc::Sender<Option<Vec<u8>>>,
}

/// A place in the queue.
pub(super) struct Place<'a>(mpsc::Permit<'a, Option<Vec<u8>>>);

impl Place<'_> {
    /// Writes a line in it.
    pub(super) fn write(self, line: Vec<u8>) {
        self.0.send(Some(line));
    }
}

/// The error that a side is gone and takes no more lines.
#[derive(Debug)]
pub(super) struct Gone;

impl Out {
    /// Waits until there is a place for a line.
    pub(super) async fn place(&self) -> Result<Place<'_>, Gone> {
        self.lines.reserve().await.map(Place).map_err(|_| Gone)
    }

    /// Writes a line, which holds no line's end.
    pub(super) async fn write(&self, line: Vec<u8>) -> Result<(), Gone> {
        self.lines.send(Some(line)).await.map_err(|_| Gone)
    }

    /// Closes what is written to, once everything before is written.
    pub(super) async fn close(&self) {
        // Gone is closed.
        let _ = self.lines.send(None).await;
    }
}

/// Writes lines in a thread of their own; the second of the two hears when that has ended.
pub(super) fn write(
    name: &str,
    mut to: impl Write + Send + 'static,
) -> Result<(Out, oneshot::Receiver<()>), GuardianError> {
    let (lines, mut received) = mpsc::channel::<Option<Vec<u8>>>(QUEUE);
    let (ended, has_ended) = oneshot::channel();
    start(name, move || {
        while let Some(Some(mut line)) = received.blocking_recv() {
            line.push(b'\n');
            if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                break;
            }
        }
        drop(to);
        let _ = ended.send(());
    })?;
    Ok((Out { lines }, has_ended))
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), GuardianError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| {
        GuardianError::Unavailable(format!("the operating system gave no thread: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], most: usize) -> Vec<Line> {
        let mut lines = Lines::new(text, most);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    fn texts(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::Text(text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn lines_are_read_up_to_their_ends_and_the_last_one_to_that_of_all() {
        assert_eq!(all(b"", 9), texts(&[]));
        assert_eq!(all(b"a\nbc\n", 9), texts(&["a", "bc"]));
        assert_eq!(all(b"a\n\nb", 9), texts(&["a", "", "b"]));
        let long = "x".repeat(200_000);
        assert_eq!(all(format!("{long}\n{long}").as_bytes(), 200_000), texts(&[&long, &long]));
    }

    #[test]
    fn line_that_is_too_long_is_told_once_and_the_next_one_is_read() {
        let long = "x".repeat(200_000);
        for text in [format!("{long}\nab\n"), format!("{long}{long}\nab")] {
            let read = all(text.as_bytes(), 100_000);
            assert_eq!(read, [vec![Line::TooLong], texts(&["ab"])].concat());
        }
        assert_eq!(all(b"abc", 2), [Line::TooLong]);
        assert_eq!(all(b"ab\n", 2), texts(&["ab"]));
    }

    #[test]
    fn line_without_an_end_takes_no_memory() {
        struct Endless(usize);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0 += into.len();
                assert!(self.0 < 1 << 20, "it is read on before anything is told");
                into.fill(b'x');
                Ok(into.len())
            }
        }
        let mut lines = Lines::new(Endless(0), 100_000);
        assert_eq!(lines.next().unwrap(), Some(Line::TooLong));
    }
}
