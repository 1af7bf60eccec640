//! One tool.

use agenttrust::DenialResponse;
use agenttrust::{Action, AgentIdentity, CallOutcome, Outcome};
use tower_mcp::{CallToolResult, ToolRequest};

use super::result::{denied, outcome};
use crate::{Denial, DenyWith, ExtractAction, Extracted};

/// Reads the action of a call of one tool: see [`tower_mcp`](crate::tower_mcp). Its input is the arguments
/// and nothing else.
#[derive(Clone, Debug)]
pub struct McpToolExtract {
    tool: String,
}

impl McpToolExtract {
    /// Calls of this tool.
    pub fn new(tool: impl Into<String>) -> Self {
        Self { tool: tool.into() }
    }
}

impl ExtractAction<ToolRequest> for McpToolExtract {
    fn extract(&self, request: &ToolRequest) -> Extracted {
        let action = Action::new(self.tool.clone()).input(&request.args);
        action.on_behalf_of(request.ctx.extension::<AgentIdentity>().cloned()).into()
    }
}

/// Denies with a result that the model can read.
#[derive(Clone, Copy, Debug, Default)]
pub struct McpToolDeny;

impl<E> DenyWith<ToolRequest, CallToolResult, E> for McpToolDeny {
    type Context = ();

    fn context(&self, _request: &ToolRequest) -> Self::Context {}

    fn deny(&self, denial: Denial, _context: Self::Context) -> Result<CallToolResult, E> {
        Ok(denied(&DenialResponse::from(denial)))
    }

    fn outcome(&self, result: &Result<CallToolResult, E>, _context: &Self::Context) -> CallOutcome {
        match result {
            Ok(result) => outcome(result),
            Err(_) => result.outcome(),
        }
    }
}
