//! Why a request got no answer.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::private::background::Elapsed;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request that got no readable answer. [`source`](StdError::source) leads to the transport's own
/// error; with the default transport it downcasts to `reqwest::Error`.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: BoxError,
}

/// What went wrong, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made.
    Connect,
    /// No answer came in time.
    Timeout,
    /// The connection broke, or the answer could not be read to its end.
    Broken,
}

impl TransportError {
    /// An error of `kind` caused by `source`.
    pub fn new(kind: TransportErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What went wrong, as far as a caller can act on it.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Whether nobody was there to answer: no connection, or no answer in time.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, TransportErrorKind::Connect | TransportErrorKind::Timeout)
    }

    /// Reads the kind off `source` and what caused it.
    pub(crate) fn classify(source: BoxError) -> Self {
        let source = match source.downcast::<Self>() {
            Ok(already) => return *already,
            Err(source) => source,
        };
        let mut kind = TransportErrorKind::Broken;
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&*source);
        while let Some(error) = cause {
            if let Some(found) = kind_of(error) {
                kind = found;
                break;
            }
            cause = error.source();
        }
        Self { kind, source }
    }
}

fn kind_of(error: &(dyn StdError + 'static)) -> Option<TransportErrorKind> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        if error.is_connect() {
            return Some(TransportErrorKind::Connect);
        }
        if error.is_timeout() {
            return Some(TransportErrorKind::Timeout);
        }
    }
    if error.is::<Elapsed>() {
        return Some(TransportErrorKind::Timeout);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::NotConnected
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NotFound => Some(TransportErrorKind::Connect),
        io::ErrorKind::TimedOut => Some(TransportErrorKind::Timeout),
        _ => None,
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection to the Guardian",
            TransportErrorKind::Timeout => "no answer from the Guardian in time",
            TransportErrorKind::Broken => "the connection to the Guardian broke",
        })?;
        // The deepest cause says most ("connection refused"); the layers between repeat themselves.
        let mut cause: &dyn StdError = &*self.source;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        write!(f, ": {cause}")
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
