//! A call: what goes out, and what comes back piece by piece.
//!
//! The call lives on the background runtime, whatever runtime its pieces are waited for on: a connection that is
//! driven by another one hangs while that one is idle. Pieces are handed over one at a time, so that an answer that is
//! not read is not held either. Dropping what comes back hangs up.

use std::fmt;
use std::time::Duration;

use agenttrust::background;
use bytes::{Bytes, BytesMut};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, LOCATION, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, Response, Url};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::{Error, no_answer};

/// The number of pieces that wait for the reader of an answer: each is as large as a connection reads at once.
const PIECES_WAITING: usize = 1;

/// A call that is to be made.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) target: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The time until the head of an answer must be there.
    pub(crate) first_byte_within: Duration,
}

// The URL and the headers may hold what is as good as a password.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("method", &self.method).finish_non_exhaustive()
    }
}

/// An answer that is on its way; dropped, it is hung up on.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The piece that was looked at and is still to be read.
    seen: Option<Bytes>,
    pieces: mpsc::Receiver<Piece>,
    /// The end of the answer, once it has come.
    ended: Option<Result<(), Error>>,
    _line: Line,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("status", &self.status).finish_non_exhaustive()
    }
}

enum Piece {
    Next(Bytes),
    /// The end of the answer, which was whole, or not.
    End(Result<(), Error>),
}

/// The line to the other side, which is hung up when it is dropped.
struct Line(AbortHandle);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Incoming {
    /// Returns the next piece of the answer, as it comes; `None` at its end.
    ///
    /// # Errors
    ///
    /// No answer when none comes within `idle`, or when it was cut off. After that it stays so.
    pub(crate) async fn chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, Error> {
        if let Some(seen) = self.seen.take() {
            return Ok(Some(seen));
        }
        if let Some(ended) = &self.ended {
            return ended.clone().map(|()| None);
        }
        let ended = match background::timeout(idle, self.pieces.recv()).await {
            Ok(Some(Piece::Next(piece))) => return Ok(Some(piece)),
            Ok(Some(Piece::End(ended))) => ended,
            Ok(None) => Err(Error::NoAnswer("it was cut off".to_owned())),
            Err(_) => Err(Error::NoAnswer(format!("nothing more came within {idle:?}"))),
        };
        self.pieces.close();
        self.ended.insert(ended).clone().map(|()| None)
    }

    /// Returns what the answer begins with, until there are so many bytes of it; all of it is still to be read.
    pub(crate) async fn look(&mut self, bytes: usize, within: Duration) -> Bytes {
        let mut seen = BytesMut::new();
        let read = async {
            while seen.len() < bytes
                && let Ok(Some(piece)) = self.chunk(within).await
            {
                seen.extend_from_slice(&piece);
            }
        };
        // One that is late is late for its reader, too.
        let _ = background::timeout(within, read).await;
        let seen = seen.freeze();
        self.seen = Some(seen.clone()).filter(|seen| !seen.is_empty());
        seen
    }

    /// Returns the answer in one, of at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// Too long, and no answer when it is not all there `within` this time.
    pub(crate) async fn whole(
        mut self,
        max_bytes: usize,
        within: Duration,
    ) -> Result<Bytes, Error> {
        let declared = self.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if declared.and_then(|length| length.parse::<u64>().ok()) > u64::try_from(max_bytes).ok() {
            return Err(Error::TooLong(max_bytes));
        }
        let read = async {
            let mut all = BytesMut::new();
            while let Some(piece) = self.chunk(within).await? {
                if all.len().saturating_add(piece.len()) > max_bytes {
                    return Err(Error::TooLong(max_bytes));
                }
                all.extend_from_slice(&piece);
            }
            Ok(all.freeze())
        };
        let late = |_| Error::NoAnswer(format!("it was not all there within {within:?}"));
        background::timeout(within, read).await.map_err(late)?
    }
}

/// Makes a call whose target was looked at, by this client.
pub(super) async fn make(client: Client, call: Outgoing) -> Result<Incoming, Error> {
    let (head, headed) = oneshot::channel();
    let (give, pieces) = mpsc::channel(PIECES_WAITING);
    let line = Line(background::spawn(drive(client, call, head, give)).abort_handle());
    let (status, headers) =
        headed.await.unwrap_or_else(|_| Err(Error::NoAnswer("it was cut off".to_owned())))?;
    Ok(Incoming { status, headers, seen: None, pieces, ended: None, _line: line })
}

type Head = (StatusCode, HeaderMap);

async fn drive(
    client: Client,
    call: Outgoing,
    head: oneshot::Sender<Result<Head, Error>>,
    give: mpsc::Sender<Piece>,
) {
    let within = call.first_byte_within;
    let answer = match tokio::time::timeout(within, asked(client, call)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::NoAnswer(format!("none came within {within:?}"))),
    };
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            // Whoever does not wait any more wants to hear of no error either.
            let _ = head.send(Err(error));
            return;
        }
    };
    let headers = std::mem::take(answer.headers_mut());
    if head.send(Ok((answer.status(), headers))).is_err() {
        return;
    }
    loop {
        let (piece, last) = match answer.chunk().await {
            Ok(Some(piece)) => (Piece::Next(piece), false),
            Ok(None) => (Piece::End(Ok(())), true),
            Err(error) => (Piece::End(Err(no_answer(error))), true),
        };
        if give.send(piece).await.is_err() || last {
            return;
        }
    }
}

async fn asked(client: Client, call: Outgoing) -> Result<Response, Error> {
    let Outgoing { method, target, mut headers, body, .. } = call;
    let from = target.clone();
    // These are the connection's own, whatever a caller sent.
    for name in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, PROXY_AUTHORIZATION]
    {
        headers.remove(name);
    }
    // In no log of those below, and in no table of a connection.
    if let Some(credentials) = headers.get_mut(AUTHORIZATION) {
        credentials.set_sensitive(true);
    }
    let request = client.request(method, target).headers(headers).body(body);
    let answer = request.send().await.map_err(no_answer)?;
    let status = answer.status();
    // What has not changed is no other place.
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return Err(Error::Redirected { status, to: place(&from, answer.headers()) });
    }
    Ok(answer)
}

/// Returns where an answer points to, without what may be as good as a password: a path, a query, a name.
fn place(from: &Url, headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    match to.map(|to| to.origin()) {
        Some(to) if to == from.origin() => "another path of the same host".to_owned(),
        Some(to) if to.is_tuple() => super::cut(&to.ascii_serialization()),
        _ => "nowhere that can be read".to_owned(),
    }
}
