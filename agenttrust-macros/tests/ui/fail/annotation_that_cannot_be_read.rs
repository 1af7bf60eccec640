use agenttrust::{AgentTrustError, guarded};

const DESTROYS: bool = true;

#[guarded(effect = "read")]
#[rust_analyzer::tool(annotations(destructive_hint = DESTROYS))]
fn delete() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {
    let _ = DESTROYS;
}
