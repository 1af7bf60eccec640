//! A held call that is refused, expires or is not decided in time does not run, and each says so. A
//! function that is not async does not wait inside a runtime, whose thread it would block.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Answer, Guardian, refused, run, step, steps};

#[guarded(on_elevation = "wait", wait = "1s")]
async fn spun(table: &str) -> Result<usize, AgentTrustError> {
    step();
    Ok(table.len())
}

#[guarded(on_elevation = "wait", wait = "1h")]
fn sync(table: &str) -> Result<usize, AgentTrustError> {
    step();
    Ok(table.len())
}

#[guarded(on_elevation = "fail")]
async fn fails(table: &str) -> Result<usize, AgentTrustError> {
    step();
    Ok(table.len())
}

pub(super) fn main() {
    for (status, code) in [
        ("denied", "ACTION_DENIED"),
        ("expired", "APPROVAL_EXPIRED"),
        ("pending", "ELEVATION_REQUIRED"),
        // It was approved, and the Guardian holds it all the same.
        ("approved", "ELEVATION_REQUIRED"),
    ] {
        let guardian = Guardian::says([Answer::Held]).and_of_the_approval(status);
        refused(code, run(guardian.guard.scope(spun("users"))));
        assert_eq!(guardian.events().len(), 0);
    }
    assert_eq!(steps(1).of(|| run(fails("users"))), 5);
    assert_eq!(steps(1).of(|| run(async { sync("users") })), 5);
}
