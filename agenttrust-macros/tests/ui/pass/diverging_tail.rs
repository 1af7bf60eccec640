//! A body whose last expression never returns: `panic!`, `todo!`, `loop {}` with `return`.

#![deny(warnings)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, refused, run, step, steps};

type Output = Result<u8, AgentTrustError>;

#[guarded]
fn sync() -> Output {
    step();
    todo!("the tool's own panic")
}

#[guarded]
async fn spun() -> Output {
    step();
    panic!("the tool's own panic");
}

#[guarded]
fn boxed() -> Pin<Box<dyn Future<Output = Output> + Send>> {
    step();
    unimplemented!("the tool's own panic")
}

#[guarded]
fn looped(mut left: u8) -> Output {
    loop {
        step();
        if left == 0 {
            return Ok(left);
        }
        left -= 1;
    }
}

pub(super) fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    panics(sync);
    panics(|| run(spun()));
    panics(|| run(boxed()));
    assert_eq!(steps(3).of(|| looped(2)), 0);
}

fn panics(call: impl Fn() -> Output) {
    refused("GUARDIAN_UNAVAILABLE", call());
    let run = allowed(|| catch_unwind(AssertUnwindSafe(&call)));
    assert!(run.output.is_err());
    assert_eq!(run.steps, 1);
}
