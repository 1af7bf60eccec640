use agenttrust::{AgentTrustError, guarded};

const NAME: u8 = 7;

#[guarded(tool = NAME)]
fn tool(path: String) -> Result<String, AgentTrustError> {
    Ok(path)
}

fn main() {}
