use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    #[cfg_attr(all(), guarded(skip))]
    fn write(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
