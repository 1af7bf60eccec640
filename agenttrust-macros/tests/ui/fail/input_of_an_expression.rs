use agenttrust::{AgentTrustError, guarded};

#[guarded(input(path.len()))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
