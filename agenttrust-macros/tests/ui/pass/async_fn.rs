//! `async fn`: nothing runs without a guard.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
async fn tool(path: String) -> Result<usize, AgentTrustError> {
    if path.is_empty() {
        return Err(unreachable());
    }
    tokio::task::yield_now().await;
    Err(unreachable())
}

fn unreachable() -> AgentTrustError {
    unreachable!("ran without a guard")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tool("a.txt".to_owned()).await.unwrap_err();
}
