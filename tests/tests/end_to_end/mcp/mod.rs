//! MCP servers that others wrote, behind `/mcp/{server_id}` of `agenttrust serve` or behind `agenttrust mcp run`, with
//! the official packages on both sides.
//!
//! The packages of npm are those of `tests/peers/mcp`, after `npm ci` in there; where they are not, their tests skip
//! and say so.

mod clients;
mod conformance;
mod differing;
pub(crate) mod guardian_with_agent;
mod hostile;
pub(crate) mod peers;
mod published;
mod resumed;
mod rmcp;
mod session;
mod stdio;
