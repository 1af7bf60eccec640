//! One guarded request: asked about, run while the permit is held, reported.

use std::pin::pin;

use agenttrust::{Action, AgentIdentity, CallOutcome, FromDenial, Outcome};
use futures_util::future::{Either, select};
use rmcp::model::{
    CallToolResponse, CustomRequest, GetPromptResponse, ReadResourceDirectoryResult,
    ReadResourceResponse,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};

use super::handler::GuardedHandler;

impl<H> GuardedHandler<H> {
    /// Makes the call once it is permitted, and not at all when it was cancelled before.
    pub(super) async fn guard<T, F>(
        &self,
        action: Action,
        cancelled: impl Future<Output = ()>,
        call: impl FnOnce() -> F,
    ) -> Result<T, ErrorData>
    where
        T: Answer,
        F: Future<Output = Result<T, ErrorData>>,
    {
        let asking = pin!(self.guard.authorize(action));
        // The cancellation first: where both are there, nobody wants the call any more.
        let permit = match select(pin!(cancelled), asking).await {
            Either::Left(((), _)) => return Err(never_made()),
            Either::Right((Ok(permit), _)) => permit,
            Either::Right((Err(denial), _)) => return FromDenial::from_denial(denial),
        };
        let output = call().await;
        permit.finish_with(match &output {
            Ok(answer) => answer.outcome(),
            Err(_) => output.outcome(),
        });
        output
    }
}

/// Returns the action of the agent that was known by its token, where a layer or a handler looked: in front of rmcp's
/// HTTP server, which hands on the head of the request that it came with, or outside of this handler.
pub(super) fn of_caller(action: Action, context: &RequestContext<RoleServer>) -> Action {
    let head = context.extensions.get::<http::request::Parts>();
    let identity = head
        .and_then(|head| head.extensions.get::<AgentIdentity>())
        .or_else(|| context.extensions.get::<AgentIdentity>());
    action.on_behalf_of(identity.cloned())
}

/// The answer to a guarded request, which says whether it worked.
pub(super) trait Answer: 'static {
    fn outcome(&self) -> CallOutcome;
}

impl Answer for CallToolResponse {
    fn outcome(&self) -> CallOutcome {
        Outcome::outcome(self)
    }
}

/// Answers that cannot say that they failed, other than by an error.
macro_rules! always_success {
    ($($answer:ty),*) => { $(
        impl Answer for $answer {
            fn outcome(&self) -> CallOutcome {
                CallOutcome::Success
            }
        }
    )* };
}

always_success!(ReadResourceResponse, ReadResourceDirectoryResult, GetPromptResponse, ());

/// Returns the error of a cancelled request. rmcp sends no answer to one, so it is here only to be logged.
fn never_made() -> ErrorData {
    let message = "the request was cancelled before it was permitted; the call was not made";
    ErrorData::invalid_request(message, None)
}

/// Returns the answer to a request of a guarded method that rmcp could not read as one.
pub(super) fn unreadable(request: &CustomRequest) -> ErrorData {
    let message = format!(
        "the parameters of this {} are not those that MCP has for it; the call was not made",
        request.method
    );
    ErrorData::invalid_params(message, None)
}
