use agenttrust::{AgentTrustError, guarded};

#[guarded(read)]
fn list() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
