use agenttrust::{AgentTrustError, guarded};

#[guarded(input(path), skip(path))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
