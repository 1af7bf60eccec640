use agenttrust::{AgentTrustError, guarded};

#[guarded(on_elevation = "fail", wait = "5m")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
