use agenttrust::{AgentTrustError, guarded};

#[guarded(scopes(" db:write"))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
