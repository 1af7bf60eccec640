use agenttrust::{AgentTrustError, guarded};

#[guarded(input(path), skip(mode))]
fn tool(path: String, mode: u32) -> Result<(String, u32), AgentTrustError> {
    Ok((path, mode))
}

fn main() {}
