use agenttrust::{AgentTrustError, guarded};

#[guarded]
async fn tool(path: String) -> Result<u32, AgentTrustError> {
    drop(path);
    true
}

fn main() {}
