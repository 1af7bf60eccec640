//! `BoxFuture` and `LocalBoxFuture` of the futures crate.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, LocalBoxFuture};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn borrowed<'a>(path: &'a str, early: bool) -> BoxFuture<'a, Output> {
    step();
    if early {
        step();
        return futures_util::future::ok(0).boxed();
    }
    step();
    async move {
        step();
        Ok(path.len())
    }
    .boxed()
}

#[guarded]
fn owned(path: String) -> futures_util::future::BoxFuture<'static, Output> {
    step();
    Box::pin(async move { Ok(path.len()) })
}

#[guarded]
fn local(path: &str) -> LocalBoxFuture<'_, Output> {
    step();
    async move { Ok(path.len()) }.boxed_local()
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| run(borrowed("a.txt", false))), 5);
    assert_eq!(steps(2).of(|| run(borrowed("a.txt", true))), 0);
    assert_eq!(steps(1).of(|| run(owned("a.txt".to_owned()))), 5);
    assert_eq!(steps(1).of(|| run(local("a.txt"))), 5);
}
