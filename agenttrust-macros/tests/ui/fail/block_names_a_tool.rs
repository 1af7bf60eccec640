use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read", tool = "files")]
impl Files {
    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {
    // The block is still there: the mistake stays the only error.
    let _ = Files.list();
}
