use agenttrust::{AgentTrustError, guarded};

#[guarded(skip)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
