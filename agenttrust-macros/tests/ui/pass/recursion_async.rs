//! An `async fn` that calls itself in a `Box` is checked on every call.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{Answer, Guardian, run, step, steps, taken};

#[guarded]
async fn countdown(n: u32) -> Result<u32, AgentTrustError> {
    step();
    if n == 0 {
        return Ok(0);
    }
    step();
    Box::pin(countdown(n - 1)).await
}

#[guarded]
fn boxed(n: u32) -> Pin<Box<dyn Future<Output = Result<u32, AgentTrustError>>>> {
    step();
    Box::pin(async move { if n == 0 { Ok(0) } else { boxed(n - 1).await } })
}

pub(super) fn main() {
    assert_eq!(steps(3 * 2 + 1).in_calls(4).of(|| run(countdown(3))), 0);
    assert_eq!(steps(4).in_calls(4).of(|| run(boxed(3))), 0);

    let guardian = Guardian::says([Answer::Allowed, Answer::Allowed, Answer::Denied]);
    let denied = run(guardian.guard.scope(countdown(5))).unwrap_err();
    assert_eq!((denied.code(), guardian.checks().len(), taken()), ("ACTION_DENIED", 3, 4));
}
