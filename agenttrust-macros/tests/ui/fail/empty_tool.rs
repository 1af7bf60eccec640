use agenttrust::{AgentTrustError, guarded};

#[guarded(tool = "")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
