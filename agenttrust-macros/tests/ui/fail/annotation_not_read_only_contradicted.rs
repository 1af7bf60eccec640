use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "read")]
#[rust_analyzer::tool(annotations(read_only_hint = false))]
fn list() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
