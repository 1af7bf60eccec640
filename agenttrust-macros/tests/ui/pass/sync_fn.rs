//! `fn`: nothing runs without a guard.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
fn tool(path: String) -> Result<usize, AgentTrustError> {
    if path.is_empty() {
        unreachable!("ran without a guard");
    }
    unreachable!("ran without a guard")
}

#[guarded]
fn no_arguments() -> Result<usize, AgentTrustError> {
    unreachable!("ran without a guard")
}

fn main() {
    tool("a.txt".to_owned()).unwrap_err();
    no_arguments().unwrap_err();
}
