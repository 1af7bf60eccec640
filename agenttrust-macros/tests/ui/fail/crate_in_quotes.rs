use agenttrust::{AgentTrustError, guarded};

#[guarded(crate = "agenttrust")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
