use agenttrust::{AgentTrustError, guarded};

#[guarded(on_elevation = "wait", wait = "5")]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
