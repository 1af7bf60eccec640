use agenttrust::{AgentTrustError, guarded};

#[guarded(input(pth))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
