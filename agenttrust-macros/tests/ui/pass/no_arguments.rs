//! Functions without arguments: nothing is captured, and all is checked.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::Value;

#[guarded]
fn sync() -> Result<(), AgentTrustError> {
    step();
    Ok(())
}

#[guarded(effect = "admin")]
async fn spun() -> Result<(), AgentTrustError> {
    step();
    Ok(())
}

#[guarded]
fn empty() -> Result<(), AgentTrustError> {
    Ok(())
}

pub(super) fn main() {
    steps(1).of(sync);
    captures(Value::Null, sync);
    steps(1).of(|| run(spun()));
    captures(Value::Null, || run(spun()));
    steps(0).of(empty);
}
