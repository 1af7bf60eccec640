//! `#[cfg]` on parameters, both ways; what is configured away is neither captured nor missed.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

#[guarded]
async fn tool(
    #[cfg(any())] gone: Missing,
    #[cfg(not(any()))] here: u8,
    #[cfg_attr(not(any()), cfg(any()))] also_gone: Missing,
    #[allow(unused_variables)] allowed: u8,
    #[expect(unused_variables)] expected: u8,
) -> Result<u8, AgentTrustError> {
    step();
    #[cfg(any())]
    drop((gone, also_gone));
    step();
    Ok(here)
}

#[guarded(effect = "destructive")]
fn strict(
    #[cfg(any())] gone: Missing,
    #[cfg(not(any()))] here: u8,
    #[cfg(any())] here: Missing,
) -> Result<u8, AgentTrustError> {
    step();
    Ok(here)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(tool(1, 2, 3))), 1);
    captures(json!({ "here": 1, "allowed": 2, "expected": 3 }), || run(tool(1, 2, 3)));
    assert_eq!(steps(1).of(|| strict(1)), 1);
    captures(json!({ "here": 1 }), || strict(1));
}
