use agenttrust::{AgentTrustError, guarded};

#[guarded]
const fn tool() -> Result<u8, AgentTrustError> {
    Ok(1)
}

fn main() {}
