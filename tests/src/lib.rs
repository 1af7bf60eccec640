//! What the end-to-end tests stand on: real Guardians behind real doors, and a clock that stops a hang.
//!
//! - [`house`]: one Guardian, embedded or served, with one client or with an agent's and an operator's
//!   key. What holds for one form must hold for all.
//! - [`served`]: the program `agenttrust serve` as a child process.
//! - [`observed`]: an embedded Guardian whose intake of telemetry is watched.
//! - [`runs`]: what really ran.
//! - [`socket`]: any router on a real socket, with threads of its own.
//! - [`upstream`]: an MCP server of our own, which does what no server should where that is asked.
//! - [`admin`]: keys and the audit, asked in plain HTTP.
//! - [`bounded`]: time limits.

pub mod admin;
pub mod bounded;
pub mod house;
pub mod observed;
pub mod runs;
pub mod served;
pub mod socket;
pub mod upstream;

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
