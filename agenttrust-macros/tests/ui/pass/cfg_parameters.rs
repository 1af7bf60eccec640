//! `#[cfg]` and lint levels on parameters.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
async fn tool(
    #[cfg(any())] gone: Missing,
    #[cfg(not(any()))] here: u8,
    #[allow(unused_variables)] allowed: u8,
    #[expect(unused_variables)] expected: u8,
) -> Result<u8, AgentTrustError> {
    Ok(here)
}

#[guarded(effect = "destructive")]
fn strict(#[cfg(any())] gone: Missing, #[cfg(not(any()))] here: u8) -> Result<u8, AgentTrustError> {
    Ok(here)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tool(1, 2, 3).await.unwrap_err();
    strict(1).unwrap_err();
}
