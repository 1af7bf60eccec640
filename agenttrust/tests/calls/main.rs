//! What calls promise: by a guard, by `#[guarded]`, by the client's resources, and over the default transport.

mod a2a;
mod access;
mod agent_cards;
mod connections;
mod delegations;
mod export;
mod federation;
mod guard;
mod guarded;
mod managing;
mod mcp;
mod scripted;
mod streaming;
mod tokens;
mod transport;
mod workload;
