use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "destructive", skip(self))]
fn delete(path: String) -> Result<(), AgentTrustError> {
    drop(path);
    Ok(())
}

fn main() {}
