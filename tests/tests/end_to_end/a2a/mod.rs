//! Agents and clients of A2A that other people wrote, each reached through `agenttrust serve`: the official SDKs for
//! Python and JavaScript, the maintained crates for Rust, and the published clients of AgentTrust.
//!
//! The packages of npm are those of `tests/peers/a2a`, after `npm ci` in there; where they or those of Python are not,
//! their tests skip and say so.

mod caller;
mod cards;
mod clients;
mod conformance;
mod crates;
mod published;
mod seen;
pub(crate) mod targets;
