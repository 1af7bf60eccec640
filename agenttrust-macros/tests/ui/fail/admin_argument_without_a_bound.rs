use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "admin")]
fn tool<T>(value: T) -> Result<T, AgentTrustError> {
    Ok(value)
}

fn main() {}
