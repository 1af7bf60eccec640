use agenttrust::{AgentTrustError, guarded};

struct DeleteContext;

#[guarded(effect = "destructive")]
fn tool(context: &DeleteContext) -> Result<(), AgentTrustError> {
    let _ = context;
    Ok(())
}

fn main() {}
