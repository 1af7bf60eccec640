//! Denials as results of a tool, and results as outcomes.

use agenttrust::__private::Problem;
use agenttrust::CallOutcome;
use serde_json::{Map, Value};
use tower_mcp::CallToolResult;

use crate::Denial;

/// A result with `isError: true` that tells the model what happened and how to go on.
pub(super) fn denied(denial: Denial) -> CallToolResult {
    let problem = match denial {
        Denial::Refused(reason) => Problem::refused(reason),
        Denial::Blocked(error) => Problem::of(error),
    };
    let mut result = CallToolResult::error(problem.for_the_model());
    let meta = [(Problem::META.to_owned(), Value::Object(problem.for_programs()))];
    result.meta = Some(Value::Object(Map::from_iter(meta)));
    result
}

pub(super) fn outcome(result: &CallToolResult) -> CallOutcome {
    if result.is_error { CallOutcome::failure("ToolError") } else { CallOutcome::Success }
}
