//! The identity of workloads. Tokens say which agent runs there, and are bound to its key if the agent proved that it
//! has it. Proofs of that come with each request (RFC 9449).

mod claims;
mod issue;
mod possession;
mod prove;
mod sessions;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use self::issue::{Issued, NewToken, issue};
pub(crate) use self::possession::challenge;
pub(crate) use self::prove::{Presented, prove};
pub(crate) use self::sessions::begin;
pub(crate) use self::verify::verify;

use serde_json::json;

use crate::domain::{Error, Key};
use crate::engine::Engine;

/// Tells the audit that a proof, or the token that it came with, was not taken at `operation`. Neither is told
/// anywhere.
pub(crate) fn refused(
    engine: &Engine,
    key: &Key,
    operation: &'static str,
    agent_id: &str,
    error: &Error,
) {
    engine.refused(
        "proof.refused",
        key,
        || json!({ "operation": operation, "agent_id": agent_id, "reason": error.message() }),
    );
}
