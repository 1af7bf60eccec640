use agenttrust::{AgentTrustError, guarded};

#[guarded(retries = 3)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
