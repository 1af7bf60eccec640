use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "destructive")]
#[rust_analyzer::tool(annotations(title = "Delete", destructive_hint = false))]
fn delete() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
