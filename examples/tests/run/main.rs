//! Every example is a program that keeps its promises: each is run, as its reader would run it.
//!
//! `cargo test` builds the examples beside the tests; with `--test run` alone it does not, so run
//! `cargo build --workspace --examples --bins` before.

mod agents;
mod built;
mod first_hour;
mod front_pages;
mod guides;
mod issuer;
mod mcp_proxy;
mod mcp_rmcp_server;
#[path = "../../rig_agent/refused.rs"]
mod refused;
mod rig_dispatch;
mod running;
mod services;
mod transcript;
