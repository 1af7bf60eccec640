use agenttrust::{AgentTrustError, guarded};

const SERVER: &str = "files";

#[guarded(tool = format!("{SERVER}_delete"))]
fn tool() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = &std::format!("{SERVER}_delete"))]
fn borrowed() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
