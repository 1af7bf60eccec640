//! The bytes of a connection on their way, watched: they say what the connection does, and when its caller is
//! slow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connections::Handle;

/// The time that a closed connection is read on, so that a client that is still sending gets to see the last answer.
const LINGER: Duration = Duration::from_secs(1);
/// The bytes that are read for that.
const LINGER_MOST: usize = 2 << 20;

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    connection: Handle,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, connection: Handle) -> Self {
        Self { stream, connection, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        if read > 0 && !self.connection.record_read(read) {
            return Poll::Ready(Err(io::Error::other(
                "the heads of all connections together are too long",
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Watched<S> {
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.connection.wrote(Some(*bytes)),
            Poll::Pending => self.connection.wrote(None),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(done) => {
                self.connection.flushed();
                Poll::Ready(done)
            }
            Poll::Pending => {
                self.connection.wrote(None);
                Poll::Pending
            }
        }
    }

    /// Says that nothing more is written, and reads on for a moment: what is closed with bytes unread takes the
    /// last answer away from the client that sent them.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let (over, read) =
            this.lingering.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER)), 0));
        let mut scratch = [0; 4_096];
        loop {
            if *read > LINGER_MOST || over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *read += buffer.filled().len(),
                // It is closed from the other side, which is all that was waited for.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
