use agenttrust::{AgentTrustError, guarded};

#[guarded(efect = "read")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
