//! An early `return Box::pin(..)` is inside the returned future too.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn tool(path: &str) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
    step();
    if path.is_empty() {
        step();
        return Box::pin(async {
            step();
            Ok(0)
        });
    }
    let Some((head, _)) = path.split_once('/') else {
        step();
        return Box::pin(std::future::ready(Ok(1)));
    };
    Box::pin(async move { Ok(head.len()) })
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| run(tool(""))), 0);
    assert_eq!(steps(2).of(|| run(tool("a.txt"))), 1);
    assert_eq!(steps(1).of(|| run(tool("etc/a.txt"))), 3);
}
