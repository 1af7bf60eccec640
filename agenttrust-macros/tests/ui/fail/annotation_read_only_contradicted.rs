use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "mutating")]
#[rust_analyzer::tool(name = "files", annotations(read_only_hint = true))]
fn write() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
