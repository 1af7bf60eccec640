//! Denials as results of a tool or as errors, and results as outcomes.

use agenttrust::CallOutcome;
use agenttrust::{DenialReason, DenialResponse};
use serde_json::{Map, Value};
use tower_mcp::{CallToolResult, ErrorCode, JsonRpcError};

/// Returns a result with `isError: true` that tells the model what happened and how to go on.
pub(super) fn denied(problem: &DenialResponse) -> CallToolResult {
    let mut result = CallToolResult::error(problem.to_model_text());
    let meta = [(DenialResponse::META.to_owned(), Value::Object(problem.to_data()))];
    result.meta = Some(Value::Object(Map::from_iter(meta)));
    result
}

/// Returns the same denial where the caller would not read a tool's result.
pub(super) fn error(problem: &DenialResponse) -> JsonRpcError {
    let code = match problem.reason() {
        DenialReason::Unavailable | DenialReason::Misconfigured => ErrorCode::InternalError,
        _ => ErrorCode::InvalidRequest,
    };
    JsonRpcError::new(code, problem.to_model_text()).with_data(Value::Object(problem.to_data()))
}

pub(super) fn outcome(result: &CallToolResult) -> CallOutcome {
    if result.is_error { CallOutcome::failure("ToolError") } else { CallOutcome::Success }
}
