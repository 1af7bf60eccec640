use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "destuctive")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
