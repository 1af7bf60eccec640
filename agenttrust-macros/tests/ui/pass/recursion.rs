//! Functions that call themselves.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
fn factorial(n: u32) -> Result<u32, AgentTrustError> {
    if n == 0 { Ok(1) } else { Ok(n * factorial(n - 1)?) }
}

#[guarded]
async fn countdown(n: u32) -> Result<u32, AgentTrustError> {
    if n == 0 { Ok(0) } else { Box::pin(countdown(n - 1)).await }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    factorial(3).unwrap_err();
    countdown(3).await.unwrap_err();
}
