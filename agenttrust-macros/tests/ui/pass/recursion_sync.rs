//! A function that calls itself is checked on every call.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Answer, Guardian, step, steps, taken};

#[guarded]
fn factorial(n: u32) -> Result<u32, AgentTrustError> {
    step();
    if n == 0 {
        step();
        return Ok(1);
    }
    step();
    let rest = factorial(n - 1)?;
    step();
    Ok(n * rest)
}

pub(super) fn main() {
    assert_eq!(steps(3 * 3 + 2).in_calls(4).of(|| factorial(3)), 6);

    let guardian = Guardian::says([Answer::Allowed, Answer::Allowed, Answer::Denied]);
    let denied = guardian.guard.scope_sync(|| factorial(5)).unwrap_err();
    assert_eq!((denied.code(), guardian.checks().len(), taken()), ("ACTION_DENIED", 3, 4));
}
