//! What the examples share: somewhere to run. What they show is in the examples themselves.
//!
//! - `quickstart/` is the place to start: `cargo run --example quickstart`.
//! - `mcp_proxy/` guards an MCP server that somebody else wrote, from in front of it:
//!   `cargo run --example mcp_proxy -- --upstream URL`.
//! - `guide_*.rs` make the calls of the SDK guide, section by section, async and blocking side by
//!   side: `cargo run --example guide_7_guard`. Each needs no server; with `AGENTTRUST_URL` and
//!   `AGENTTRUST_API_KEY` set it runs against that one.

mod guide;
mod served;

pub use self::guide::{Gateway, bot, gateway_or_env, run};
pub use self::served::Served;
