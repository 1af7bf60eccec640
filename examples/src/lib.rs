//! What the examples share: somewhere to run, and something to do there. What they show is in the
//! examples themselves.
//!
//! - `quickstart/` is the place to start, a package of its own: `cargo run -p quickstart`.
//! - `mcp_rmcp_server/` is an MCP server with guarded tools, over stdio and HTTP:
//!   `cargo run --example mcp_rmcp_server`.
//! - `mcp_proxy/` guards an MCP server that you did not write, from in front of it:
//!   `cargo run --example mcp_proxy -- --upstream URL`.
//! - `guide_*.rs` make the calls of the SDK guide, section by section, async and blocking side by
//!   side: `cargo run --example guide_7_guard`. Each needs no server; with `AGENTTRUST_URL` and
//!   `AGENTTRUST_API_KEY` set it runs against that one.
//! - `issuer.rs` is an identity provider to try federation with: `cargo run --example issuer`.
//! - `rig_agent/`, `openai_tool_loop/` and `a2a_executor/` are agents of the frameworks of those
//!   names. Each takes an empty folder to work in as its argument, and makes one without it. The first
//!   two play a script; with `OPENAI_API_KEY` or `OPENAI_BASE_URL` set they ask a real model.
//! - `axum_crud/`, `tonic_files/` and `tower_mcp_server/` are services of the frameworks of those names
//!   behind a tower layer, with the clients that call them.

mod args;
mod collector;
mod guide;
mod issuer;
mod model;
mod office;
mod outcomes;

pub use quickstart::{Folder, Served, transcript};

pub use self::args::asks_for_help;
pub use self::collector::Collector;
pub use self::guide::{Gateway, bot, gateway_or_env, run};
pub use self::issuer::Issuer;
pub use self::model::{ModelEndpoint, Turn};
pub use self::office::Office;
pub use self::outcomes::{Outcome, outcomes};
