use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "read", tool = "t", effect = "admin")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
