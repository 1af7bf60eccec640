//! What stands before the tail `async move` of a boxed future runs behind the check, inside of it.

#![deny(warnings)]

use std::pin::Pin;
use std::rc::Rc;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps, taken};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn tool(path: &str) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
    step();
    let length = path.len();
    step();
    Box::pin(async move {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(length)
    })
}

#[guarded]
fn not_send(path: Rc<str>) -> Pin<Box<dyn Future<Output = Output>>> {
    step();
    let tail = async move {
        step();
        Ok(path.len())
    };
    step();
    Box::pin(tail)
}

pub(super) fn main() {
    assert_eq!(steps(4).of(|| run(tool("a.txt"))), 5);
    assert_eq!(steps(3).of(|| run(not_send("a.txt".into()))), 5);
    drop(tool("never polled"));
    assert_eq!(taken(), 0);
}
