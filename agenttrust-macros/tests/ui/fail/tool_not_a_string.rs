use agenttrust::{AgentTrustError, guarded};

#[guarded(tool = 7)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
