//! A panic in the body goes on to the caller and is reported as one.

#![deny(warnings)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};

#[guarded]
fn sync(numbers: &[u8], at: usize) -> Result<u8, AgentTrustError> {
    step();
    let number = numbers[at];
    step();
    Ok(number)
}

#[guarded]
async fn spun(number: Option<u8>) -> Result<u8, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    Ok(number.expect("the tool's own panic"))
}

pub(super) fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    assert_eq!(steps(2).of(|| sync(&[7], 0)), 7);
    assert_eq!(steps(1).of(|| run(spun(Some(7)))), 7);
    panics(|| sync(&[7], 1));
    panics(|| run(spun(None)));
}

fn panics(call: impl FnOnce() -> Result<u8, AgentTrustError>) {
    let run = allowed(|| catch_unwind(AssertUnwindSafe(call)));
    assert!(run.output.is_err());
    assert_eq!((run.steps, run.outcomes), (1, vec!["Panic".to_owned()]));
}
