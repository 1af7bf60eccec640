use agenttrust::{AgentTrustError, guarded};

#[guarded(guard = path)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
