//! What an answer says of the call: by its head, and by what comes after the head.

#[cfg(feature = "mcp-http")]
pub(crate) mod reply;
#[cfg(feature = "mcp-http")]
mod scan;
#[cfg(feature = "tonic")]
pub(crate) mod trailers;
#[cfg(feature = "mcp-http")]
pub(crate) mod unanswered;

use agenttrust::{CallOutcome, Permit};
use http::HeaderMap;

/// Decides the outcome of a call while its body passes by.
#[derive(Debug)]
pub(crate) enum Judge {
    /// The head said it all.
    Known(CallOutcome),
    /// gRPC says it in the trailers.
    #[cfg(feature = "tonic")]
    Grpc(self::trailers::TrailerJudge),
    /// JSON-RPC says it in the body.
    #[cfg(feature = "mcp-http")]
    JsonRpc(self::reply::ReplyJudge),
}

impl Judge {
    /// Sees a piece of the body; returns whether the outcome is known before the body ends.
    pub(crate) fn data(&mut self, data: &[u8]) -> bool {
        match self {
            #[cfg(feature = "mcp-http")]
            Self::JsonRpc(judge) => judge.data(data),
            _ => {
                let _ = data;
                false
            }
        }
    }

    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        match self {
            #[cfg(feature = "tonic")]
            Self::Grpc(judge) => judge.trailers(trailers),
            _ => {
                let _ = trailers;
            }
        }
    }

    /// Returns whether the last byte of the body is the last that can be said.
    pub(crate) fn ends_with_data(&self) -> bool {
        match self {
            #[cfg(feature = "tonic")]
            Self::Grpc(_) => false,
            _ => true,
        }
    }

    /// Reports the call whose answer has ended.
    pub(crate) fn finish(self, permit: Permit) {
        #[cfg(feature = "mcp-http")]
        if let Self::JsonRpc(judge) = self {
            return judge.finish(permit);
        }
        permit.finish_with(self.outcome());
    }

    pub(crate) fn outcome(self) -> CallOutcome {
        match self {
            Self::Known(outcome) => outcome,
            #[cfg(feature = "tonic")]
            Self::Grpc(judge) => judge.outcome(),
            #[cfg(feature = "mcp-http")]
            Self::JsonRpc(judge) => judge.outcome(),
        }
    }
}
