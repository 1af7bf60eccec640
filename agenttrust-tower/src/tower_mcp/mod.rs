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
//! # One `.layer(..)`
//!
//! **tower-mcp's `HttpTransport` and `WebSocketTransport` keep one layer. A second `.layer(..)` takes the place of the
//! first, and the guard is silently gone.** Call it once, with everything in one [`tower::ServiceBuilder`], the guard
//! among it:
//!
//! ```
//! use std::time::Duration;
//!
//! use agenttrust::AgentTrustGuard;
//! use agenttrust_tower::GuardLayer;
//! use tower::ServiceBuilder;
//! use tower::timeout::TimeoutLayer;
//! use tower_mcp::{HttpTransport, McpRouter};
//!
//! # fn example(router: McpRouter, guard: AgentTrustGuard) -> axum::Router {
//! let layers = ServiceBuilder::new()
//!     // Outside of the guard, and so it bounds the wait for an approval as well.
//!     .layer(TimeoutLayer::new(Duration::from_secs(60)))
//!     .layer(GuardLayer::mcp_router(guard));
//! HttpTransport::new(router).layer(layers).into_router_at("/mcp")
//! # }
//! ```
//!
//! Their `into_oauth_router` and its like call `.layer(..)` themselves, which is such a second time: with
//! them there is no guard. Put tower-mcp's `ScopeEnforcementLayer` into the same builder instead.
//!
//! # The action
//!
//! | of the call | becomes, with [`mcp_router`](GuardLayer::mcp_router) |
//! |---|---|
//! | the tool's name | the tool; `server/name` with [`server`](McpRouterExtract::server) |
//! | what [`effects`](McpRouterExtract::effects) says of the tool | the effect |
//! | else `readOnlyHint: true` of the server's own annotations | effect `read` |
//! | `destructiveHint: false` | effect `mutating` |
//! | anything else, as MCP has it | effect `destructive` |
//! | the arguments; the answers of a client that was asked for more; `task` | the input, which an approval is bound to |
//! | `tasks/update` | the tool `mcp/tasks/update`, effect `destructive` unless [`tasks`](McpRouterExtract::tasks) says otherwise, input `{"taskId": .., "inputResponses": {..}}` |
//!
//! Every other request of the protocol passes: it calls no tool. A method that tower-mcp does not know
//! is refused when it is one that would call a tool, or let one go on.
//!
//! Over HTTP, the annotations are those of the moment of the call; over a channel or stdio, those of the
//! moment of `.layer(..)`, and over WebSocket of the connection's beginning. A tool that is registered
//! after that has none, and is destructive; one that is replaced by another of the same name keeps those
//! of the first. Where tools change while they are served, say what they do with
//! [`effects`](McpRouterExtract::effects).
//!
//! With [`mcp_tool`](GuardLayer::mcp_tool):
//!
//! | of the call | becomes |
//! |---|---|
//! | what is said in `mcp_tool(guard, tool)` and `.effect(..)` | the tool and the effect |
//! | the arguments, and nothing else | the input |
//!
//! On one tool, whatever does not go through the tool's service is outside of its layer: a task
//! preparer is, and so are the answers of a client that was asked for more. Guard the router where tools
//! have one, or are called again with answers.
//!
//! # Denials
//!
//! A result with `isError: true` that the model can read. A denied `tasks/update` is a JSON-RPC error with
//! the same words, and so is a denied call with `task`: its client waits for a task, and reads no other
//! result. A tool that starts a task, or asks its client for more, has worked as far as the report goes; a
//! call that is repeated with the answers is checked again.
//!
//! # Whose call it is
//!
//! By default, it is a call of the guard's own agent. Where many agents come over HTTP, an `AuthenticateLayer` outside
//! of the transport's router knows each by its token; tower-mcp has to be set to hand that on, and to know to whom a
//! session belongs:
//!
//! ```
//! use agenttrust::{AgentIdentity, AgentTrustClient, AgentTrustGuard};
//! use agenttrust_tower::GuardLayer;
//! use tower_mcp::{HttpTransport, McpRouter};
//! # #[cfg(feature = "http")]
//! use agenttrust_tower::AuthenticateLayer;
//!
//! # #[cfg(feature = "http")]
//! # fn example(router: McpRouter, client: AgentTrustClient) -> axum::Router {
//! // A client whose key has the role `gateway`.
//! let guard = AgentTrustGuard::gateway(client.clone()).build();
//! HttpTransport::new(router)
//!     .layer(GuardLayer::mcp_router(guard).server("files"))
//!     // Without this the guard inside does not see the agent, and makes no call.
//!     .bridge_extension::<AgentIdentity>()
//!     // Without this another agent that knows a session's id can go on in it.
//!     .session_principal_from_extension(|agent: &AgentIdentity| agent.agent_id().to_owned())
//!     .into_router_at("/mcp")
//!     .layer(AuthenticateLayer::new(client).audience("files"))
//! # }
//! ```

mod result;
mod router;
mod tool;

use agenttrust::{AgentTrustGuard, Effect};

pub use self::router::{McpRouterDeny, McpRouterExtract};
pub use self::tool::{McpToolDeny, McpToolExtract};
use crate::GuardLayer;

impl GuardLayer<McpRouterExtract, McpRouterDeny> {
    /// Creates a layer for a server of tower-mcp: every `tools/call` and `tasks/update` is checked. Of an HTTP or
    /// WebSocket transport it has to be in the one `.layer(..)`: see the [module](crate::tower_mcp).
    pub fn mcp_router(guard: AgentTrustGuard) -> Self {
        GuardLayer::new(guard).extract(McpRouterExtract::new()).deny_with(McpRouterDeny)
    }
}

impl<D> GuardLayer<McpRouterExtract, D> {
    /// Sets what the tools are called to the Guardian: [`McpRouterExtract::server`].
    pub fn server(self, name: impl Into<String>) -> Self {
        self.map_extract(|extract| extract.server(name))
    }

    /// Sets what each tool does, before what its annotations say: [`McpRouterExtract::effects`].
    ///
    /// ```
    /// use agenttrust::{AgentTrustGuard, Effect};
    /// use agenttrust_tower::GuardLayer;
    ///
    /// # fn example(guard: AgentTrustGuard) {
    /// let layer = GuardLayer::mcp_router(guard).effects(|tool| match tool {
    ///     "search" | "fetch" => Some(Effect::Read),
    ///     "set_permissions" => Some(Effect::Admin),
    ///     _ => None,
    /// });
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn effects(self, effects: impl Fn(&str) -> Option<Effect> + Send + Sync + 'static) -> Self {
        self.map_extract(|extract| extract.effects(effects))
    }

    /// Sets what `tasks/update` does: [`McpRouterExtract::tasks`].
    pub fn tasks(self, effect: Effect) -> Self {
        self.map_extract(|extract| extract.tasks(effect))
    }
}

impl GuardLayer<McpToolExtract, McpToolDeny> {
    /// Creates a layer for one tool of tower-mcp. Its requests do not say which tool they are for, so it is said
    /// here; `effect(..)` says what it does, else the Guardian goes by the name. An approval is bound to the
    /// arguments only.
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
