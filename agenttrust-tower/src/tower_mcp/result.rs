//! Denials as results of a tool or as errors, and results as outcomes.

use agenttrust::CallOutcome;
use agenttrust::internal::{Problem, Reason};
use serde_json::{Map, Value};
use tower_mcp::{CallToolResult, ErrorCode, JsonRpcError};

/// A result with `isError: true` that tells the model what happened and how to go on.
pub(super) fn denied(problem: &Problem) -> CallToolResult {
    let mut result = CallToolResult::error(problem.for_the_model());
    let meta = [(Problem::META.to_owned(), Value::Object(problem.for_programs()))];
    result.meta = Some(Value::Object(Map::from_iter(meta)));
    result
}

/// The same where nobody would read a tool's result.
pub(super) fn error(problem: &Problem) -> JsonRpcError {
    let code = match problem.reason() {
        Reason::Unavailable | Reason::Misconfigured => ErrorCode::InternalError,
        _ => ErrorCode::InvalidRequest,
    };
    JsonRpcError::new(code, problem.for_the_model())
        .with_data(Value::Object(problem.for_programs()))
}

pub(super) fn outcome(result: &CallToolResult) -> CallOutcome {
    if result.is_error { CallOutcome::failure("ToolError") } else { CallOutcome::Success }
}
