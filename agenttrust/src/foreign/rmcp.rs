//! MCP servers built on rmcp. A denial is the result of a tool, which the model can read and act on. Of what rmcp hands
//! to a tool, the input is told from the rest.

use std::any::Any;

use rmcp::ErrorData;
use rmcp::handler::server::common;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorCode, IntoContents, MetaObject,
    RequestMetaObject,
};
use serde_json::Value;

use super::DenialReason;
use super::DenialResponse;
use crate::capture::HandedIn;
use crate::error::AgentTrustError;
use crate::guard::{CallOutcome, FromDenial, Outcome};

/// Tools that return a `CallToolResult`, alone or as the error of a `Result`, can carry a denial.
///
/// `isError: true`, with a text that tells the model what happened, that the call was not made, and how to
/// go on: for a call that is held the id of the approval, and not to retry before it is approved. For
/// programs, `_meta["agenttrust/denial"]` holds the `code` and the `approval_id` or `check_id`.
impl From<AgentTrustError> for CallToolResult {
    fn from(denial: AgentTrustError) -> Self {
        result(&DenialResponse::from_error(denial))
    }
}

/// The result that the denial is, as `From<AgentTrustError>` makes it.
impl FromDenial for CallToolResult {
    fn from_denial(denial: AgentTrustError) -> Self {
        denial.into()
    }
}

/// A complete response with the result that the denial is.
impl FromDenial for CallToolResponse {
    fn from_denial(denial: AgentTrustError) -> Self {
        CallToolResult::from(denial).into()
    }
}

/// `Ok` of a result that says `isError: true`, where `T` is `CallToolResult` or `CallToolResponse`: a
/// model reads the results of its tools, and rarely the errors of a protocol.
///
/// No other `T` can say that it failed, so there it is an `Err`, with the same words, and the `code`
/// and the `approval_id` or `check_id` as its data. Clients may keep that from the model; with
/// `Result<T, AgentTrustError>`, `Result<T, CallToolResult>` or `Result<T, String>` it is a result with
/// `isError: true` for every `T`.
// Not the way out for a `Result` with another error.
#[diagnostic::do_not_recommend]
impl<T: 'static> FromDenial for Result<T, ErrorData> {
    fn from_denial(denial: AgentTrustError) -> Self {
        let problem = DenialResponse::from_error(denial);
        let mut output: Option<T> = None;
        // By type at run time: one implementation for these two and one for all others would overlap.
        let slot: &mut dyn Any = &mut output;
        if let Some(slot) = slot.downcast_mut::<Option<CallToolResult>>() {
            *slot = Some(result(&problem));
        } else if let Some(slot) = slot.downcast_mut::<Option<CallToolResponse>>() {
            *slot = Some(result(&problem).into());
        }
        output.ok_or_else(|| error(&problem))
    }
}

/// Tools that return `Result<_, AgentTrustError>` can be served: the error becomes a result with `isError: true` and
/// the text for the model.
impl IntoContents for AgentTrustError {
    fn into_contents(self) -> Vec<ContentBlock> {
        vec![ContentBlock::text(DenialResponse::from_error(self).to_model_text())]
    }
}

/// A result with `isError: true` is a failure of the type `ToolError`.
impl Outcome for CallToolResult {
    fn outcome(&self) -> CallOutcome {
        if self.is_error == Some(true) {
            return CallOutcome::failure("ToolError");
        }
        CallOutcome::Success
    }
}

/// The outcome is that of the complete result. A tool that asks its client for more, or started a task, has worked.
impl Outcome for CallToolResponse {
    fn outcome(&self) -> CallOutcome {
        match self {
            Self::Complete(result) => result.outcome(),
            _ => CallOutcome::Success,
        }
    }
}

/// A value that the server or a layer outside left in the request, such as the caller's identity.
impl<T> HandedIn for common::Extension<T> {}

/// The id of the request, which is another one with each call.
impl HandedIn for common::RequestId {}

/// Members that go with the request: the token of its progress, the trace that it is part of.
impl HandedIn for RequestMetaObject {}

fn result(problem: &DenialResponse) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(problem.to_model_text())]);
    let mut meta = MetaObject::new();
    meta.0.insert(DenialResponse::META.to_owned(), Value::Object(problem.to_data()));
    result.meta = Some(meta);
    result
}

fn error(problem: &DenialResponse) -> ErrorData {
    let code = match problem.reason() {
        DenialReason::Unavailable | DenialReason::Misconfigured => ErrorCode::INTERNAL_ERROR,
        _ => ErrorCode::INVALID_REQUEST,
    };
    let data = Value::Object(problem.to_data());
    ErrorData::new(code, problem.to_model_text(), Some(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denials() -> [AgentTrustError; 6] {
        let message = "tool \"file_delete\" of http://10.0.0.7".to_owned();
        let (approval_id, status) = ("apr_1".to_owned(), 401);
        [
            AgentTrustError::ActionDenied { message: message.clone(), check_id: None },
            AgentTrustError::ElevationRequired {
                message: message.clone(),
                approval_id: approval_id.clone(),
            },
            AgentTrustError::ApprovalExpired { message: message.clone(), approval_id },
            AgentTrustError::AgentRevoked { message: message.clone(), status },
            AgentTrustError::GuardianUnavailable { message: message.clone() },
            AgentTrustError::Authentication { message, status },
        ]
    }

    fn text(content: Vec<ContentBlock>) -> String {
        content.into_iter().next().unwrap().as_text().unwrap().text.clone()
    }

    #[test]
    fn every_denial_says_that_the_call_was_not_made_and_how_to_go_on() {
        let texts = denials().map(|denial| text(denial.into_contents()));
        for text in &texts {
            assert!(text.contains("call was not made"), "{text}");
            assert!(text.contains("o not ") || text.contains("before you repeat"), "{text}");
        }
        // The last two are about the server, and what only its operator may know stays there.
        assert_eq!(
            texts.map(|text| text.contains("10.0.0.7")),
            [true, true, true, true, false, false]
        );
    }

    #[test]
    fn what_can_say_that_it_failed_carries_a_denial_as_a_result_and_the_rest_as_an_error() {
        for denial in denials() {
            let result: Result<CallToolResult, ErrorData> = FromDenial::from_denial(denial);
            assert_eq!(result.unwrap().is_error, Some(true));
        }
        for denial in denials() {
            let response: Result<CallToolResponse, ErrorData> = FromDenial::from_denial(denial);
            assert_eq!(response.unwrap().outcome(), CallOutcome::failure("ToolError"));
        }
        let codes = denials().map(|denial| {
            let value: Result<u8, ErrorData> = FromDenial::from_denial(denial);
            value.unwrap_err().code
        });
        let (ours, theirs) = (ErrorCode::INTERNAL_ERROR, ErrorCode::INVALID_REQUEST);
        assert_eq!(codes, [theirs, theirs, theirs, theirs, ours, ours]);
    }
}
