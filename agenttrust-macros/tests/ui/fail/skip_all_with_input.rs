use agenttrust::{AgentTrustError, guarded};

#[guarded(skip_all, input(path))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
