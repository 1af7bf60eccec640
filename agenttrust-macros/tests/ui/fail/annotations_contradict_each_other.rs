use agenttrust::{AgentTrustError, guarded};

#[guarded]
#[rust_analyzer::tool(annotations(read_only_hint = true, destructive_hint = true))]
fn list() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
