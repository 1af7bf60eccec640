use agenttrust::{AgentTrustError, guarded};

#[guarded(scopes("db:read, db:write"))]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
