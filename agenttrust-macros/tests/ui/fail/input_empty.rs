use agenttrust::{AgentTrustError, guarded};

#[guarded(input())]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
