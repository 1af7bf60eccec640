use agenttrust::{AgentTrustError, guarded};

#[guarded(skip_all = true)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
