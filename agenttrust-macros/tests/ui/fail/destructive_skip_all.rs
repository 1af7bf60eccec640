use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "destructive", skip_all)]
fn tool(path: String, mode: u32) -> Result<(String, u32), AgentTrustError> {
    Ok((path, mode))
}

fn main() {}
