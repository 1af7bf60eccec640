//! A denial, said to the model.

use agenttrust::AgentTrustError;
use rig_core::tool::ToolExecutionError;

/// Returns the denial as the tool's own error, in words: the model can do something about it. Of an error that
/// it does not know, rig shows the model nothing.
pub(crate) fn refused(denial: AgentTrustError) -> ToolExecutionError {
    ToolExecutionError::refused(denial.to_string()).with_code(denial.code())
}
