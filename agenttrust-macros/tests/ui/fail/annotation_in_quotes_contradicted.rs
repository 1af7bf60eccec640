use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "read")]
#[rust_analyzer::tool(annotations(destructive_hint = "true"))]
fn delete() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
