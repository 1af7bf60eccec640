//! What stands before the tail of a function that returns `impl Future`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps, taken};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn tool(path: &str) -> impl Future<Output = Output> + Send {
    step();
    let length = path.len();
    step();
    async move {
        step();
        tokio::task::yield_now().await;
        Ok(length)
    }
}

#[guarded]
fn handed_on(path: String, early: bool) -> impl Future<Output = Output> + 'static {
    step();
    if early {
        step();
        return futures_util::future::Either::Left(std::future::ready(Ok(0)));
    }
    futures_util::future::Either::Right(async move {
        step();
        Ok(path.len())
    })
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| run(tool("a.txt"))), 5);
    assert_eq!(steps(2).of(|| run(handed_on("a.txt".to_owned(), false))), 5);
    assert_eq!(steps(2).of(|| run(handed_on("a.txt".to_owned(), true))), 0);
    drop(tool("never polled"));
    assert_eq!(taken(), 0);
}
