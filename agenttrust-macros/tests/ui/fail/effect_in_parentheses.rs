use agenttrust::{AgentTrustError, guarded};

#[guarded(effect("read"))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
