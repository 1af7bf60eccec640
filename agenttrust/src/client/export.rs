//! The export of the audit, which may be longer than any memory: read line by line as it comes in.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use serde::de::IgnoredAny;

use super::AgentTrustClient;
use super::body_stream::BodyStream;
use super::path::with_query;
use crate::background;
use crate::error::{AgentTrustError, Result};
use crate::model::AuditEntry;
use crate::transport::{TransportError, TransportErrorKind};

/// The longest line, in bytes. The Guardian keeps no row that is longer than a tenth of it.
const LINE_LIMIT: usize = 1024 * 1024;

/// Audit logs on their way, log by log and oldest entry first; see [`Audit::export`](super::Audit::export).
///
/// However long the logs are, no more is held here than the piece that came in last. It may be read from any
/// runtime, or from none, and is a [`Stream`] of entries as well. The client's
/// [`timeout`](super::AgentTrustClientBuilder::timeout) is how long the Guardian may be silent; the whole may
/// take as long as it takes.
///
/// While it is open, the Guardian refuses other exports and verifications: read it to the end, or drop it. A Guardian
/// that is served ends the connection when the caller reads nothing for 30 seconds, so store the entries first and
/// process them later.
///
/// ```no_run
/// use std::io::Write;
///
/// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut export = client.audit().export().await?;
/// let mut file = std::fs::File::create_new("audit.jsonl")?;
/// while let Some(line) = export.next_line().await {
///     writeln!(file, "{}", line?)?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "an export is sent only while it is read"]
pub struct AuditExport {
    body_stream: BodyStream,
    lines: Lines,
}

impl AuditExport {
    /// Opens it and waits until it is there, as long as any request may take.
    pub(super) async fn open(client: &AgentTrustClient, log: Option<&str>) -> Result<Self> {
        let timeout = client.inner.timeout;
        let path = with_query("/api/v1/audit/export", [("log", log.map(str::to_owned))]);
        let client = client.clone();
        let asking = async move { Ok(client.get(path).open_stream("application/x-ndjson").await?) };
        let opening = BodyStream::open(asking, timeout);
        let opened = background::timeout(timeout, opening).await;
        let body_stream = opened
            .unwrap_or_else(|elapsed| Err(TransportError::classify(elapsed.into()).into()))?;
        Ok(Self { body_stream, lines: Lines::default() })
    }

    /// Returns the next entry; `None` when the export is over, as it is after an error.
    ///
    /// # Errors
    ///
    /// [`Network`](AgentTrustError::Network) when the connection breaks, is silent for too long or ends in the
    /// middle of an entry, [`Json`](AgentTrustError::Json) for an entry that cannot be read. After each of them
    /// the rest of the export is missing.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<AuditEntry>> {
        poll_fn(|cx| self.poll_entry(cx)).await
    }

    /// Returns the next entry as the line of JSON that it came as, without its end: what is put into a file.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is lost.
    pub async fn next_line(&mut self) -> Option<Result<String>> {
        let line = self.line().await?;
        Some(self.text(line))
    }

    /// Returns the next line as it came.
    pub(crate) async fn line(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|cx| self.poll_line(cx)).await
    }

    /// Returns the next line, if it is here already.
    pub(crate) fn line_at_hand(&mut self) -> Option<Result<Bytes>> {
        let line = self.lines.next()?;
        if line.is_err() {
            self.end();
        }
        Some(line.map_err(AgentTrustError::from))
    }

    /// Returns a line as an entry. A line that is not an entry ends the export.
    pub(crate) fn entry(&mut self, line: Result<Bytes>) -> Result<AuditEntry> {
        let entry = serde_json::from_slice(&line?).map_err(AgentTrustError::Json);
        if entry.is_err() {
            self.end();
        }
        entry
    }

    /// Returns a line as text. A line that is not UTF-8 ends the export.
    pub(crate) fn text(&mut self, line: Result<Bytes>) -> Result<String> {
        let text = String::from_utf8(line?.into());
        text.map_err(|error| {
            self.end();
            broken(&format!("the export is no UTF-8: {error}")).into()
        })
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AuditEntry>>> {
        let line = ready!(self.poll_line(cx));
        Poll::Ready(line.map(|line| self.entry(line)))
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(line) = self.line_at_hand() {
                return Poll::Ready(Some(line));
            }
            match ready!(self.body_stream.poll(cx)) {
                Some(Ok(piece)) => self.lines.feed(piece),
                Some(Err(error)) => {
                    self.end();
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => return Poll::Ready(self.lines.last().map(whole)),
            }
        }
    }

    /// Lets go of the connection, and of what had come in and was not read.
    fn end(&mut self) {
        self.body_stream.end();
        self.lines = Lines::default();
    }
}

impl Stream for AuditExport {
    type Item = Result<AuditEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_entry(cx)
    }
}

impl fmt::Debug for AuditExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditExport")
            .field("over", &self.body_stream.is_over())
            .finish_non_exhaustive()
    }
}

/// Returns the last line where it is whole although it has no end, which it is when it is JSON.
fn whole(line: Bytes) -> Result<Bytes> {
    match serde_json::from_slice::<IgnoredAny>(&line) {
        Ok(_) => Ok(line),
        Err(_) => Err(broken("the export ends in the middle of an entry; ask for it again").into()),
    }
}

fn broken(why: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Broken, why)
}

/// The lines of a stream of bytes, wherever that is cut.
#[derive(Default)]
struct Lines {
    /// The piece that came in last, as far as it was not read.
    piece: Bytes,
    /// The beginning of a line whose end is still to come.
    begun: BytesMut,
}

impl Lines {
    /// Takes in what came, once everything before it was read.
    fn feed(&mut self, piece: Bytes) {
        self.piece = piece;
    }

    /// Returns the next line whose end is here. Empty ones are passed over.
    fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        loop {
            let end = self.piece.iter().position(|byte| *byte == b'\n');
            let more = self.piece.split_to(end.unwrap_or(self.piece.len()));
            if self.begun.len() + more.len() > LINE_LIMIT {
                let long = format!("a line of the export is longer than {LINE_LIMIT} bytes");
                return Some(Err(broken(&long)));
            }
            if end.is_none() {
                self.begun.extend_from_slice(&more);
                return None;
            }
            let _end = self.piece.split_to(1);
            let mut line = match self.begun.is_empty() {
                true => more,
                false => {
                    self.begun.extend_from_slice(&more);
                    self.begun.split().freeze()
                }
            };
            if line.ends_with(b"\r") {
                line.truncate(line.len() - 1);
            }
            if !line.trim_ascii().is_empty() {
                return Some(Ok(line));
            }
        }
    }

    /// Returns what is left at the end of the stream.
    fn last(&mut self) -> Option<Bytes> {
        let line = self.begun.split().freeze();
        (!line.trim_ascii().is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what lines come of these pieces, the last one too.
    fn lines(pieces: &[&'static str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut read = Vec::new();
        for piece in pieces {
            lines.feed(Bytes::from_static(piece.as_bytes()));
            read.extend(std::iter::from_fn(|| lines.next()).map(Result::unwrap));
        }
        read.extend(lines.last());
        assert_eq!(lines.last(), None);
        read.into_iter().map(|line| String::from_utf8(line.into()).unwrap()).collect()
    }

    #[test]
    fn lines_are_the_same_wherever_the_stream_is_cut() {
        let text = "{\"a\": \"é\"}\n\n{\"b\": 2}\r\n \n{\"c\": 3}";
        let expected = ["{\"a\": \"é\"}", "{\"b\": 2}", "{\"c\": 3}"];
        assert_eq!(lines(&[text]), expected);
        for (at, _) in text.char_indices() {
            let (one, other) = text.split_at(at);
            assert_eq!(lines(&[one, "", other]), expected, "cut at {at}");
        }
        let each: Vec<&'static str> = text.split_inclusive(|_| true).collect();
        assert_eq!(lines(&each), expected);
    }

    #[test]
    fn line_that_never_ends_is_not_kept() {
        let mut lines = Lines::default();
        let piece = Bytes::from(vec![b'x'; LINE_LIMIT]);
        lines.feed(piece);
        assert!(lines.next().is_none());
        lines.feed(Bytes::from_static(b"x"));
        assert!(lines.next().unwrap().is_err());
    }

    #[test]
    fn exports_can_be_read_by_any_task() {
        fn holds<T: Send + Unpin + Stream + fmt::Debug + 'static>() {}
        holds::<AuditExport>();
    }
}
