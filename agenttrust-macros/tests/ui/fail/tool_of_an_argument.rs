use agenttrust::{AgentTrustError, guarded};

#[guarded(tool = name)]
fn tool(name: &'static str) -> Result<(), AgentTrustError> {
    let _ = name;
    Ok(())
}

fn main() {}
