use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    fn forget(&self) {}

    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
