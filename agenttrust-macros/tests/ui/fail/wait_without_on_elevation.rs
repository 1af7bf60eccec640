use agenttrust::{AgentTrustError, guarded};

#[guarded(wait = "5m")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
