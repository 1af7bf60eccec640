//! What a gRPC call came to: `grpc-status`, in the head or behind the last message.

use agenttrust::CallOutcome;
use http::{HeaderMap, HeaderName};
use tonic::Code;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Waits for the trailers to say how a call went.
#[derive(Debug, Default)]
pub(crate) struct TrailerJudge {
    said: Option<CallOutcome>,
}

impl TrailerJudge {
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.said = outcome_in(trailers);
    }

    pub(crate) fn outcome(self) -> CallOutcome {
        self.said.unwrap_or_else(|| failure(Code::Unknown))
    }
}

/// Returns what the headers or trailers say, if they say it.
pub(crate) fn outcome_in(headers: &HeaderMap) -> Option<CallOutcome> {
    let code = Code::from_bytes(headers.get(STATUS)?.as_bytes());
    Some(if code == Code::Ok { CallOutcome::Success } else { failure(code) })
}

fn failure(code: Code) -> CallOutcome {
    CallOutcome::failure(match code {
        Code::Ok => "grpc OK",
        Code::Cancelled => "grpc CANCELLED",
        Code::Unknown => "grpc UNKNOWN",
        Code::InvalidArgument => "grpc INVALID_ARGUMENT",
        Code::DeadlineExceeded => "grpc DEADLINE_EXCEEDED",
        Code::NotFound => "grpc NOT_FOUND",
        Code::AlreadyExists => "grpc ALREADY_EXISTS",
        Code::PermissionDenied => "grpc PERMISSION_DENIED",
        Code::ResourceExhausted => "grpc RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "grpc FAILED_PRECONDITION",
        Code::Aborted => "grpc ABORTED",
        Code::OutOfRange => "grpc OUT_OF_RANGE",
        Code::Unimplemented => "grpc UNIMPLEMENTED",
        Code::Internal => "grpc INTERNAL",
        Code::Unavailable => "grpc UNAVAILABLE",
        Code::DataLoss => "grpc DATA_LOSS",
        Code::Unauthenticated => "grpc UNAUTHENTICATED",
    })
}
