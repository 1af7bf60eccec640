//! MCP over streamable HTTP, in front of any server: one of your own, or a proxy to one that you did not write.
//!
//! [`McpHttpLayer`] reads each message, guards the calls of tools, and hands on what it has read, so
//! that what was checked is what runs. No MCP crate is needed.
//!
//! ```
//! use agenttrust::{AgentTrustGuard, Effect};
//! use agenttrust_tower::McpHttpLayer;
//! use axum::{Router, routing::any};
//!
//! # fn app(guard: AgentTrustGuard) -> Router {
//! let guarded = McpHttpLayer::new(guard)
//!     .server("notes")
//!     .effects(|tool| match tool {
//!         "search" | "read" => Some(Effect::Read),
//!         "purge" => Some(Effect::Destructive),
//!         _ => None,
//!     });
//! // `any(..)` stands for the server: rmcp's `StreamableHttpService`, a proxy, a handler of one's own.
//! Router::new().route("/mcp", any(|| async { "..." })).layer(guarded)
//! # }
//! ```
//!
//! # What is guarded
//!
//! | message | what becomes of it |
//! |---|---|
//! | `tools/call` | guarded, as the tool `name`, or `server/name` with [`server`](McpHttpLayer::server) |
//! | `resources/read`, `resources/directory/read`, `skills/get`, `prompts/get` | passes; guarded as reads of the tools `mcp/resources/read` and so on with [`resources`](McpHttpLayer::resources) and [`prompts`](McpHttpLayer::prompts) |
//! | `tasks/update` | guarded, as the tool `mcp/tasks/update`, destructive unless [`tasks`](McpHttpLayer::tasks) says otherwise: with the answers in it a tool goes on that asked for more |
//! | any other request or notification, and answers to the server's own requests | passes |
//! | one of the guarded methods as a notification | refused: a denial could not be told |
//! | what is not one JSON-RPC 2.0 message, batches, a key that comes twice, a member that is not JSON-RPC's | refused |
//! | a member of `params` of a guarded method that is written almost like one of MCP's: `Name`, `nameſ` | refused |
//! | `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name` or `Mcp-Param-*` that says something else than the body | refused: see [below](#headers-that-repeat-arguments) |
//! | `GET`, `DELETE`, `HEAD`, `OPTIONS` | passes: the server's own stream, the end of a session; with a body, refused |
//! | any other method of HTTP | refused |
//!
//! The input, which an approval is bound to, is all of `params` but `name` and what MCP says of `_meta`; of an update
//! it is `{"taskId": .., "inputResponses": {..}}`. It is not the path and not the session: give each server a layer of
//! its own, and a name.
//!
//! # Headers that repeat arguments
//!
//! From MCP 2026-07-28 on, a tool's schema may have clients repeat single arguments as `Mcp-Param-*` (`x-mcp-header`),
//! for those on the way. Where the layer is given the schema ([`param_headers`](McpHttpLayer::param_headers)), each of
//! its headers must say what its argument says. It must be there if the argument is, and must not be there if that is
//! null or absent. Other headers pass, as MCP has it. Without a schema, each `Mcp-Param-*` must say what some argument
//! says, as the headers of a client that follows MCP always do. Which argument it is, the server has to check. In both
//! cases `=?base64?…?=` is decoded, numbers are compared as numbers, and the answer to any other header is 400 with
//! -32020.
//!
//! # What the server gets
//!
//! The message, written again from what was read: JSON in UTF-8, as `application/json` where the client said so
//! (another media type or character set is refused). A number that would be another one then is refused: a whole one of
//! more than 64 bits, and another one of more digits than a double keeps. `params` that are null are left out.
//!
//! Of `_meta`, a guarded call takes along what MCP has servers go by: `progressToken`, the trace (`traceparent`,
//! `tracestate`, `baggage`) and `io.modelcontextprotocol/…`. An approval is **not** bound to these. Everything else in
//! it is left out, since nothing that was not checked may influence a tool. Name what a server needs of it with
//! [`bind_meta`](McpHttpLayer::bind_meta): that is handed on and bound. Messages that are not guarded keep theirs.
//!
//! The headers that were true of the former body are removed (`Content-Encoding`, `Content-Digest`, `Repr-Digest`,
//! `Digest`, `Content-MD5`, `Trailer`, `Transfer-Encoding`, `Expect`). So is `Upgrade`: in a connection that becomes
//! something else, no message is checked.
//!
//! # Answers
//!
//! A denied call of a tool is a `CallToolResult` with `isError: true`, which the model reads: what happened, how to go
//! on, the id of the approval. For programs, `_meta["agenttrust/denial"]` holds the `code` and the id. A denied read or
//! update is a JSON-RPC error with the same words. So is a denied call with `params.task` (MCP 2025-11-25), since its
//! client waits for a task, and reads no other result. A refusal is a JSON-RPC error with the status 400. A body over
//! the limit is 413, one that does not come 408, one that is compressed or not JSON in UTF-8 415. Another method is 405.
//! The connection can be used again afterwards, unless the answer says `Connection: close`. It says so where a body did
//! not come, where more of it is left than [`HttpDeny`](crate::http::HttpDeny) reads away, or where it was announced
//! with `Expect: 100-continue` and not wanted.
//!
//! # The outcome
//!
//! By what the server answers, as plain JSON or as server-sent events: `isError: true` is a failure of the type
//! `ToolError`, an error one of `JsonRpcError`. Reported when the answer is there, when the body ends without one
//! (`NoReply`), or when it is dropped (`Cancelled`). In a session (`Mcp-Session-Id`), a server may close the stream of
//! a call and answer on another one: the one that its client listens to, or a stream that goes on from an event. So if
//! the stream that ended had an event with an id, or another stream of the session is listened to, the layer waits for
//! the answer there. It waits until nothing of the session was listened to for 15 seconds, and for an hour at most. A
//! status of success with neither JSON nor events (202, 204) is no answer to a call: `NoReply` too. Nothing of the
//! answer is kept, however long it is. An answer that is compressed is judged by its status.
//!
//! # Limits
//!
//! - **Sessions are not bound to agents.** A caller that knows the id of an MCP session (`Mcp-Session-Id`)
//!   can send in it, listen to its streams and end it, each call checked as the caller's own. Bind it where
//!   several agents come to one server, as the example `mcp_proxy` does.
//! - **Answers to the server's own requests** (`sampling/createMessage`, `elicitation/create`,
//!   `roots/list`) pass unchecked, though the tool that asked acts on them.
//! - **`Mcp-Param-*` without a schema** are compared with all arguments and not with theirs, and one that is
//!   missing is not missed. Before you route by them behind the layer, tell it the schemas:
//!   [`param_headers`](McpHttpLayer::param_headers).
//! - **A call that waits for its approval says nothing meanwhile** ([`on_elevation`](McpHttpLayer::on_elevation)), and
//!   clients give up on a silent call, many of them after 60 seconds. Wait for less, or fail at once and have the call
//!   made again. The Guardian's own proxy sends progress.
//! - **Streamable HTTP only.** With HTTP+SSE of 2024-11-05 a server answers in another stream than the one that the
//!   call was sent in. Calls are checked there, but such clients do not read a denial, and the outcome of a call is
//!   that no answer came.

pub(crate) mod deny;
mod extract;
mod future;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod jsonrpc;
pub(crate) mod kind;
mod layer;
pub(crate) mod message;
pub(crate) mod methods;
pub(crate) mod params;
mod read;
pub(crate) mod rpc;
mod service;

pub use self::deny::McpDeny;
pub use self::extract::McpExtract;
pub use self::future::McpHttpFuture;
pub use self::layer::McpHttpLayer;
pub use self::params::{InvalidParamHeaders, ParamHeaders};
pub use self::service::McpHttp;
