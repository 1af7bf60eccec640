use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    fn new() -> Self {
        Self
    }

    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {
    let _ = Files::new().list();
}
