//! `async fn`: what stands before and after an `.await`, and the early return.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
async fn tool(path: String) -> Result<usize, AgentTrustError> {
    step();
    if path.is_empty() {
        step();
        return Ok(0);
    }
    step();
    tokio::task::yield_now().await;
    step();
    Ok(path.len())
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| run(tool("a.txt".to_owned()))), 5);
    assert_eq!(steps(2).of(|| run(tool(String::new()))), 0);
}
