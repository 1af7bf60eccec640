//! Why a body was not taken in, so that its request was not asked about and did not run.

use std::fmt;
use std::time::Duration;

/// The body of a request that was to be read whole, and was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    reason: UnreadReason,
    closes: bool,
}

/// The reason why a body was not read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadReason {
    /// The body is longer than this many bytes.
    TooLong(usize),
    /// The body did not come within this time.
    TooLate(Duration),
    /// The body broke off before its end.
    BrokeOff,
    /// The body is not exactly one message of gRPC.
    NotOneMessage,
}

impl Unread {
    #[cfg(feature = "http")]
    pub(crate) fn new(reason: UnreadReason, closes: bool) -> Self {
        Self { reason, closes }
    }

    /// Returns why the body was not read.
    #[must_use]
    pub fn reason(&self) -> UnreadReason {
        self.reason
    }

    /// Returns whether a rest of the body is still in the connection, so that no further request can come
    /// on it: an answer over HTTP/1 then says `Connection: close`.
    #[must_use]
    pub fn closes_connection(&self) -> bool {
        self.closes
    }
}

/// A sentence for the caller.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            UnreadReason::TooLong(limit) => {
                write!(f, "the body of the request is longer than {limit} bytes; send a shorter one")
            }
            UnreadReason::TooLate(within) => write!(
                f,
                "the body of the request did not come to its end within {within:?}; send it at once"
            ),
            UnreadReason::BrokeOff => {
                f.write_str("the body of the request broke off before its end; send it again")
            }
            UnreadReason::NotOneMessage => f.write_str(
                "the call did not send exactly one message, and only calls of one message are taken \
                 here; its server has to leave methods that stream out of `bind_message`",
            ),
        }
    }
}
