use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    #[guarded(skip, effect = "mutating")]
    fn write(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
