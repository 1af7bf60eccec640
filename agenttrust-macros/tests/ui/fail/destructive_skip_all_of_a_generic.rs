use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "destructive", skip_all)]
fn wipe<T>() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
