use agenttrust::{AgentTrustError, guarded};

#[guarded(on_elevation = "wai")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
