use agenttrust::{AgentTrustError, guarded};

#[guarded(on_denied = |error| error.to_string())]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
