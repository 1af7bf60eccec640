use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "write")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
