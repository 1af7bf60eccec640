use agenttrust::{AgentTrustError, guarded};

#[guarded("read")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
