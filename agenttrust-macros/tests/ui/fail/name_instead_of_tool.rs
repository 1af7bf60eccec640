use agenttrust::{AgentTrustError, guarded};

#[guarded(name = "files_list")]
fn list() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
