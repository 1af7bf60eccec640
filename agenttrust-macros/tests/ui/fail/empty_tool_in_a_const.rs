use agenttrust::{AgentTrustError, guarded};

const NAME: &str = "";

#[guarded(tool = NAME)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
