//! `fn`: the first statement and the early return are behind the check, with a runtime around and without.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn tool(path: String) -> Result<usize, AgentTrustError> {
    step();
    if path.is_empty() {
        step();
        return Ok(0);
    }
    step();
    let length = path.len();
    step();
    Ok(length)
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| tool("a.txt".to_owned())), 5);
    assert_eq!(steps(2).of(|| tool(String::new())), 0);
    assert_eq!(steps(3).of(|| run(async { tool("a.txt".to_owned()) })), 5);
}
