use agenttrust::{AgentTrustError, guarded};

#[guarded]
#[track_caller]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
