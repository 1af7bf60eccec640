use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    fn count(&self) -> usize {
        0
    }

    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
