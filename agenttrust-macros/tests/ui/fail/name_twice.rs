use agenttrust::{AgentTrustError, guarded};

#[guarded(skip(path, path))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
