//! What the examples share: somewhere to run. What they show is in the examples themselves.
//!
//! - `quickstart/` is the place to start: `cargo run --example quickstart`.
//! - `guide_*.rs` make the calls of the SDK guide, section by section, async and blocking side by
//!   side: `cargo run --example guide_7_guard`. Each needs no server; with `AGENTTRUST_URL` and
//!   `AGENTTRUST_API_KEY` set it runs against that one.
//! - `axum_crud/`, `tonic_files/` and `tower_mcp_server/` are services of the frameworks of those names
//!   behind a tower layer, with the clients that call them.

mod guide;
mod outcomes;
mod served;
pub mod transcript;

pub use self::guide::{Gateway, bot, gateway_or_env, run};
pub use self::outcomes::{Outcome, outcomes};
pub use self::served::Served;
