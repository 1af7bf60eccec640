use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read", wait = "5m")]
impl Files {
    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
