//! `on_elevation = "wait"`: a held call runs once, when it has been approved.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Answer, Guardian, run, step, taken};

#[guarded(effect = "destructive", on_elevation = "wait", wait = "10s")]
async fn spun(table: String) -> Result<usize, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(table.len())
}

#[guarded(on_elevation = "wait")]
fn sync(table: &str) -> Result<usize, AgentTrustError> {
    step();
    Ok(table.len())
}

pub(super) fn main() {
    let guardian = approves();
    let output = run(guardian.guard.scope(spun("users".to_owned())));
    assert_eq!((output.unwrap(), taken(), guardian.checks().len()), (5, 2, 2));
    let [first, second] = &guardian.checks()[..] else { unreachable!("two checks") };
    let digest = "agenttrust-input-digest";
    assert_eq!(first.headers[digest], second.headers[digest]);
    assert_eq!(guardian.events().len(), 1);

    let guardian = approves();
    let output = guardian.guard.scope_sync(|| sync("users"));
    assert_eq!((output.unwrap(), taken(), guardian.checks().len()), (5, 1, 2));
}

fn approves() -> Guardian {
    Guardian::says([Answer::Held, Answer::Allowed]).and_of_the_approval("approved")
}
