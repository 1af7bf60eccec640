//! MCP servers built on rmcp: every `tools/call` is checked before the tool runs and reported after,
//! on every transport.
//!
//! ```
//! use agenttrust::AgentTrustGuard;
//! use agenttrust_tower::rmcp::{GuardedHandler, GuardedHandlerExt};
//! use rmcp::ServerHandler;
//!
//! /// Serve this instead of `files`: `guarded(files, guard).serve(transport)`.
//! fn guarded<H: ServerHandler>(files: H, guard: AgentTrustGuard) -> GuardedHandler<H> {
//!     files.guarded(guard).server("files")
//! }
//! ```
//!
//! The handler is what is wrapped, because it is the one thing that every call passes. A default `#[tool_handler]`
//! makes a new router for each call, and never looks at a router that was changed beforehand, or at a guard in a field
//! beside it.
//!
//! # What a call is, to the Guardian
//!
//! | MCP | action |
//! |---|---|
//! | the tool's name | the tool, as it is, or `server/name` with [`server`](GuardedHandler::server) |
//! | `arguments`; none are `{}` | the input: an approval is for exactly these |
//! | the answers and state of a repeated call | part of the input, where there are any |
//! | `tasks/update` | the tool `mcp/tasks/update`, destructive unless [`tasks`](GuardedHandler::tasks) says otherwise |
//! | `_meta` (progress tokens, traces) | nothing |
//! | `readOnlyHint: true` | the effect `read` |
//! | `destructiveHint: false` | the effect `mutating` |
//! | anything else | the effect `destructive`, as MCP has it for a tool that says nothing |
//!
//! The annotations are those that this server's own [`get_tool`](rmcp::ServerHandler::get_tool) knows,
//! never a client's word; `#[tool_handler]` writes that method. A handler without one says the effects
//! with [`effects`](GuardedHandler::effects), else each of its tools counts as destructive.
//!
//! Behind an `AuthenticateLayer` in front of rmcp's HTTP server, a call is checked as the agent of the
//! request's token, in its session; else as the guard's own agent.
//!
//! A denial is a result with `isError: true` whose text the model can read, with the code and the id of
//! the approval in `_meta`, under `agenttrust/denial`. A tool's own result with `isError: true` is
//! reported as a failure, an `ErrorData` too.
//!
//! # What else can reach a tool
//!
//! - **Malformed calls**: rmcp hands a `tools/call` that it cannot read to
//!   [`on_custom_request`](rmcp::ServerHandler::on_custom_request), and one without an id to
//!   [`on_custom_notification`](rmcp::ServerHandler::on_custom_notification). Neither gets there: the
//!   one is refused as invalid, the other dropped. Requests and notifications with names of your own
//!   pass unchecked; [`run`](agenttrust::AgentTrustGuard::run) guards what they do.
//! - **Repeated calls**: a tool that asks its client for more (`InputRequiredResult`) counts as a success. The call
//!   that is repeated with the answers is another one: it is checked again, with the answers as a part of what is
//!   approved.
//! - **Tasks**: a call that starts a task has worked once there is one. A tool that asked for more goes on with the
//!   answers of a `tasks/update`. So an update is guarded too, as the destructive tool `mcp/tasks/update`, with the
//!   task and the answers as its input ([`tasks`](GuardedHandler::tasks) changes that). `tasks/get` and `tasks/cancel`
//!   pass unchecked.
//! - **Routers outside**: rmcp's [`Router`](rmcp::handler::server::router::Router) answers for its own
//!   tools before the handler inside of it is asked. Give the tools to the handler instead.
//! - **Resources and prompts** are guarded where that is asked for:
//!   [`resources`](GuardedHandler::resources), [`prompts`](GuardedHandler::prompts).
//!
//! # Cancellation
//!
//! rmcp does not drop the future of a request that its client cancels; it cancels the token of the
//! [`RequestContext`](rmcp::service::RequestContext). Before the permit, that ends the asking, or the
//! wait for an approval, and the tool does not run. After it, it is the tool's to end, and what it
//! returns is what is reported. A future that is dropped, as with its runtime, reports `Cancelled`.

mod action;
mod call;
mod forward;
mod handler;

pub use self::handler::{GuardedHandler, GuardedHandlerExt};
