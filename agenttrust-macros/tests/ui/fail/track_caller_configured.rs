use agenttrust::{AgentTrustError, guarded};

#[guarded]
#[cfg_attr(all(), track_caller)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
