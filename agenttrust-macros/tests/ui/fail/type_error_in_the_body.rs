use agenttrust::{AgentTrustError, guarded};

#[guarded]
async fn tool(path: String) -> Result<u32, AgentTrustError> {
    let length: u32 = path;
    Ok(length)
}

fn main() {}
