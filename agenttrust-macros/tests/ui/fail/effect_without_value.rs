use agenttrust::{AgentTrustError, guarded};

#[guarded(effect)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
