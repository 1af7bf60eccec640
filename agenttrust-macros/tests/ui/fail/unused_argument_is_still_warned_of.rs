#![deny(unused)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
async fn tool(mut path: String, mode: u32) -> Result<u32, AgentTrustError> {
    Ok(mode)
}

fn main() {}
