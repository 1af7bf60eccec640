use agenttrust::{AgentTrustError, guarded};

#[guarded(skip(db))]
fn tool() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
