use agenttrust::{AgentTrustError, guarded};

#[guarded(tool =, effect = "read")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
