//! A future that is dropped before it is polled asks nobody and runs nothing; one dropped later was cancelled.

#![deny(warnings)]

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, step, steps};

type Output = Result<u8, AgentTrustError>;

#[guarded]
async fn spun(number: u8) -> Output {
    step();
    Ok(number)
}

#[guarded]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Output> + Send>> {
    step();
    Box::pin(async move { Ok(number) })
}

#[guarded]
fn implied(number: u8) -> impl Future<Output = Output> + Send {
    step();
    async move { Ok(number) }
}

#[guarded]
async fn never_ready() -> Output {
    step();
    std::future::pending().await
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| counting::run(spun(1))), 1);
    unasked(|| drop(spun(1)));
    unasked(|| drop(boxed(1)));
    unasked(|| drop(implied(1)));

    let run = allowed(|| {
        let mut call = pin!(never_ready());
        let mut context = Context::from_waker(Waker::noop());
        while counting::so_far() == 0 {
            assert_eq!(call.as_mut().poll(&mut context).map(Result::unwrap), Poll::Pending);
        }
    });
    assert_eq!((run.steps, run.outcomes), (1, vec!["Cancelled".to_owned()]));
}

fn unasked(call: impl FnOnce()) {
    let run = allowed(call);
    assert_eq!((run.steps, run.checks.len(), run.outcomes.len()), (0, 0, 0));
}
