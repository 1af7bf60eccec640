//! `#[guarded]` beside other attributes and in frameworks. Whichever attribute stands above, nothing of the body runs
//! without a permit, and the caller gets the denial in the framework's own words.
//!
//! Every tool is called the way its users call it: an MCP tool by a client over a transport, a handler
//! by a request. `above` in a name means that the framework's attribute stands above `#[guarded]` and is
//! expanded first, `below` that it is the other way round.

mod async_trait;
mod axum;
mod blocks;
mod contract;
mod rig;
mod rmcp;
mod tokio;
mod tracing;
