use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = 3)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
