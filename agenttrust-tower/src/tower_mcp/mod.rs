//! tower-mcp: tools and routers behind the guard.
//!
//! [`GuardLayer::mcp_router`] goes where tower-mcp takes a layer for a whole server, on every
//! transport; [`GuardLayer::mcp_tool`] goes on one tool.
//!
//! ```
//! use agenttrust::{AgentTrustGuard, Effect};
//! use agenttrust_tower::GuardLayer;
//! use tower_mcp::{CallToolResult, McpRouter, NoParams, StdioTransport, ToolBuilder};
//!
//! # fn example(guard: AgentTrustGuard) -> impl Sized {
//! let list = ToolBuilder::new("files_list")
//!     .read_only()
//!     .handler(|_: NoParams| async { Ok(CallToolResult::text("plan.txt")) })
//!     .build();
//! let router = McpRouter::new().server_info("files", "1.0.0").tool(list);
//! StdioTransport::new(router).layer(GuardLayer::mcp_router(guard))
//! # }
//! ```
//!
//! # The action
//!
//! | of the call | becomes |
//! |---|---|
//! | the tool's name | the tool; `server/name` with [`McpRouterExtract::server`] |
//! | `readOnlyHint: true` of the server's own annotations | effect `read` |
//! | `destructiveHint: false` | effect `mutating` |
//! | anything else, as MCP has it | effect `destructive` |
//! | the arguments, and the answers of a client that was asked for more | the input, which an approval is bound to |
//!
//! Every other request of the protocol passes: it calls no tool. A method that tower-mcp does not know
//! is refused when it is one that would call a tool.
//!
//! A denial is a result with `isError: true` that the model can read. A tool that starts a task, or asks
//! its client for more, has worked as far as the report goes; a call that is repeated with the answers is
//! checked again.
//!
//! On one tool, whatever does not go through the tool's service is outside of its layer: a task
//! preparer is. Guard the router where tools have one.

mod result;
mod router;
mod tool;

use agenttrust::AgentTrustGuard;

pub use self::router::{McpRouterDeny, McpRouterExtract};
pub use self::tool::{McpToolDeny, McpToolExtract};
use crate::GuardLayer;

impl GuardLayer<McpRouterExtract, McpRouterDeny> {
    /// A layer for a server of tower-mcp: every `tools/call` is checked.
    pub fn mcp_router(guard: AgentTrustGuard) -> Self {
        GuardLayer::new(guard).extract(McpRouterExtract::new()).deny_with(McpRouterDeny)
    }
}

impl<D> GuardLayer<McpRouterExtract, D> {
    /// What the tools are called to the Guardian: [`McpRouterExtract::server`].
    pub fn server(self, name: impl Into<String>) -> Self {
        self.map_extract(|extract| extract.server(name))
    }
}

impl GuardLayer<McpToolExtract, McpToolDeny> {
    /// A layer for one tool of tower-mcp. Its requests do not say which tool they are for, so it is said
    /// here; `effect(..)` says what it does, else the Guardian goes by the name.
    ///
    /// ```
    /// use agenttrust::{AgentTrustGuard, Effect};
    /// use agenttrust_tower::GuardLayer;
    /// use tower_mcp::{CallToolResult, NoParams, Tool, ToolBuilder};
    ///
    /// # fn example(guard: AgentTrustGuard) -> Tool {
    /// ToolBuilder::new("files_purge")
    ///     .handler(|_: NoParams| async { Ok(CallToolResult::text("purged")) })
    ///     .layer(GuardLayer::mcp_tool(guard, "files_purge").effect(Effect::Destructive))
    ///     .build()
    /// # }
    /// ```
    pub fn mcp_tool(guard: AgentTrustGuard, tool: impl Into<String>) -> Self {
        GuardLayer::new(guard).extract(McpToolExtract::new(tool)).deny_with(McpToolDeny)
    }
}
