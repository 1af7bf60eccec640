//! Why a request got no answer.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::background::Elapsed;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request that got no readable answer. [`source`](StdError::source) leads to the transport's own
/// error; with the default transport it downcasts to `reqwest::Error`.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Arc<dyn StdError + Send + Sync>,
    /// The fault on this side, and the way on.
    advice: Option<String>,
}

/// The fault, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made, so that nothing was sent.
    Connect,
    /// No answer came in time. The request may have been sent, and acted upon.
    Timeout,
    /// The connection was made and then broke, or the answer could not be read to its end.
    Broken,
    /// This process, or its machine, may open no more files, so that nothing was sent. The error says nothing of the
    /// Guardian: a guard that fails open does not open for it.
    Exhausted,
}

impl TransportError {
    /// Creates an error of `kind` caused by `source`.
    pub fn new(kind: TransportErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: source.into().into(), advice: None }
    }

    /// Returns what went wrong, as far as a caller can act on it.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns whether no connection could be made: only then is it certain that the request was not
    /// sent. A time-out and a connection that broke come from a gateway that may be there.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.kind == TransportErrorKind::Connect
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
        Self { kind, source: source.into(), advice: None }
    }

    /// Returns the same, for another one who waited for what failed.
    pub(crate) fn copied(&self) -> Self {
        Self { kind: self.kind, source: Arc::clone(&self.source), advice: self.advice.clone() }
    }

    /// Returns the same, where it is known what is wrong on this side.
    #[cfg(feature = "reqwest")]
    pub(super) fn with_advice(self, advice: String) -> Self {
        Self { advice: Some(advice), ..self }
    }

    /// Returns whether something is wrong on this side, which asking again does not mend.
    pub(crate) fn is_of_this_side(&self) -> bool {
        self.advice.is_some() || self.kind == TransportErrorKind::Exhausted
    }
}

fn kind_of(error: &(dyn StdError + 'static)) -> Option<TransportErrorKind> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return Some(kind_of_reqwest(error));
    }
    if error.is::<Elapsed>() {
        return Some(TransportErrorKind::Timeout);
    }
    let error = error.downcast_ref::<io::Error>()?;
    if is_exhausted(error) {
        return Some(TransportErrorKind::Exhausted);
    }
    match error.kind() {
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

/// Returns the kind of an error of reqwest. Only those of its connector can be
/// [`Connect`](TransportErrorKind::Connect): a route that is lost under a request that was sent has the operating
/// system's same words.
#[cfg(feature = "reqwest")]
fn kind_of_reqwest(error: &reqwest::Error) -> TransportErrorKind {
    match (error.is_connect(), error.is_timeout()) {
        // To reqwest the TLS handshake is part of connecting. By then the host has answered.
        (true, _) if broke_in_handshake(error) => TransportErrorKind::Broken,
        (true, _) if any_cause(error, is_exhausted) => TransportErrorKind::Exhausted,
        (true, _) => TransportErrorKind::Connect,
        (false, true) => TransportErrorKind::Timeout,
        (false, false) => TransportErrorKind::Broken,
    }
}

#[cfg(feature = "reqwest")]
fn broke_in_handshake(error: &reqwest::Error) -> bool {
    any_cause(error, |io| {
        matches!(
            io.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidData
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::WriteZero
        )
    })
}

/// Returns whether one of the operating system's errors that led to this one is such.
#[cfg(feature = "reqwest")]
fn any_cause(error: &reqwest::Error, is_such: impl Fn(&io::Error) -> bool) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(&is_such) {
            return true;
        }
        // An `io::Error` around another one leaves it out of its sources.
        let inside = io.and_then(io::Error::get_ref).filter(|inside| inside.is::<io::Error>());
        cause = match inside {
            Some(inside) => Some(inside as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

/// Returns whether it says that no more files may be opened, by this process (EMFILE) or on this machine (ENFILE).
fn is_exhausted(error: &io::Error) -> bool {
    let numbers: &[i32] = match cfg!(windows) {
        true => &[10_024],
        false => &[24, 23],
    };
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

/// Returns whether the error, or what caused it, says so. The types that would tell are not those of any dependency of
/// ours.
#[cfg(feature = "reqwest")]
pub(super) fn said(error: &reqwest::Error, words: &str) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains(words) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(advice) = &self.advice {
            return f.write_str(advice);
        }
        f.write_str(match self.kind {
            TransportErrorKind::Connect => "no connection to the Guardian",
            TransportErrorKind::Timeout => "no answer from the Guardian in time",
            TransportErrorKind::Broken => "the connection to the Guardian broke",
            TransportErrorKind::Exhausted => {
                "no connection to the Guardian, because no more files can be opened here; close some, or raise \
                 their limit, for example with ulimit -n 4096"
            }
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
