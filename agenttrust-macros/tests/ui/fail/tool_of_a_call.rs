use agenttrust::{AgentTrustError, guarded};

fn name() -> &'static str {
    "files_delete"
}

#[guarded(tool = name())]
fn function() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "files_delete".trim())]
fn method() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
