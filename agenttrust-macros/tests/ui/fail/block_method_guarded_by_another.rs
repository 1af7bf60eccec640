use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    #[elsewhere::guarded(skip)]
    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
