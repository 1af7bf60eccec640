//! Denials and outcomes in gRPC: a status one way, the trailers the other.

use agenttrust::{DenialReason, DenialResponse};
use agenttrust::{Outcome, Permit};
use http::{Request, Response, StatusCode};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::http::FollowBody;
use crate::http::finish::{HttpContext, finish, hand_over};
use crate::judge::Judge;
use crate::judge::trailers::{TrailerJudge, outcome_in};
use crate::{Denial, DenyWith, UnreadReason};

/// Answers a denial with a gRPC status and no message, never with an error of the service.
///
/// | what happened | status | `agenttrust-code`, and what comes with it |
/// |---|---|---|
/// | denied | 7 `PERMISSION_DENIED` | `ACTION_DENIED`, `agenttrust-check-id` |
/// | an approval is needed | 7 `PERMISSION_DENIED` | `ELEVATION_REQUIRED`, `agenttrust-approval-id` |
/// | the approval expired undecided | 7 `PERMISSION_DENIED` | `APPROVAL_EXPIRED`, `agenttrust-approval-id` |
/// | the agent was revoked | 7 `PERMISSION_DENIED` | `AGENT_REVOKED` |
/// | the call cannot be read, or its message broke off | 3 `INVALID_ARGUMENT` | `REQUEST_REFUSED` |
/// | its message is to be bound, and longer than that may be | 8 `RESOURCE_EXHAUSTED` | `BODY_TOO_LONG` |
/// | its message is to be bound, and did not come in time | 4 `DEADLINE_EXCEEDED` | `BODY_TIMEOUT` |
/// | one message is to be bound, and it has none or several | 12 `UNIMPLEMENTED` | `REQUEST_REFUSED` |
/// | the Guardian did not answer | 14 `UNAVAILABLE` | `GUARDIAN_UNAVAILABLE` |
/// | the Guardian turned this server away | 13 `INTERNAL` | `GUARD_MISCONFIGURED` |
///
/// Code and id are metadata. Fits every body that has an empty form (`Default`), tonic's among them.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrpcDeny;

impl<R, B, Err> DenyWith<Request<R>, Response<B>, Err> for GrpcDeny
where
    B: FollowBody + Default,
{
    type Context = HttpContext;

    fn context(&self, request: &Request<R>) -> Self::Context {
        HttpContext::from_request(request)
    }

    fn deny(&self, denial: Denial, _context: Self::Context) -> Result<Response<B>, Err> {
        let unread = match &denial {
            Denial::Unread(unread) => Some(unread.reason()),
            _ => None,
        };
        let problem = DenialResponse::from(denial);
        let code = unread.map_or_else(|| code_of(problem.reason()), code_of_unread);
        Ok(status(&problem, code).into_http())
    }

    fn permitted(&self, request: &mut Request<R>, permit: &mut Permit) {
        hand_over(request, permit);
    }

    fn finish(
        &self,
        result: Result<Response<B>, Err>,
        permit: Permit,
        asked: Self::Context,
    ) -> Result<Response<B>, Err> {
        finish(result, permit, asked, judge)
    }
}

fn code_of_unread(reason: UnreadReason) -> Code {
    match reason {
        UnreadReason::TooLong(_) => Code::ResourceExhausted,
        UnreadReason::TooLate(_) => Code::DeadlineExceeded,
        UnreadReason::BrokeOff => Code::InvalidArgument,
        // gRPC's own status for another number of messages than the method takes.
        UnreadReason::NotOneMessage => Code::Unimplemented,
    }
}

fn code_of(reason: DenialReason) -> Code {
    match reason {
        DenialReason::Refused => Code::InvalidArgument,
        DenialReason::TooLong => Code::ResourceExhausted,
        DenialReason::TooLate => Code::DeadlineExceeded,
        DenialReason::Unauthenticated => Code::Unauthenticated,
        DenialReason::OutOfScope
        | DenialReason::Denied
        | DenialReason::Held
        | DenialReason::Expired
        | DenialReason::Revoked => Code::PermissionDenied,
        DenialReason::Unavailable => Code::Unavailable,
        // Misconfigured, and what a newer version tells apart.
        _ => Code::Internal,
    }
}

fn status(problem: &DenialResponse, code: Code) -> Status {
    let mut metadata = MetadataMap::new();
    for (name, value) in problem.to_data() {
        let key = match name.as_str() {
            "approval_id" => "agenttrust-approval-id",
            "check_id" => "agenttrust-check-id",
            _ => "agenttrust-code",
        };
        // An id that no header can carry is in the message all the same.
        if let Some(Ok(value)) = value.as_str().map(MetadataValue::try_from) {
            metadata.insert(key, value);
        }
    }
    Status::with_metadata(code, problem.detail(), metadata)
}

fn judge<B>(response: &Response<B>) -> Judge {
    match outcome_in(response.headers()) {
        Some(outcome) => Judge::Known(outcome),
        None if response.status() == StatusCode::OK => Judge::Grpc(TrailerJudge::default()),
        None => Judge::Known(response.outcome()),
    }
}
