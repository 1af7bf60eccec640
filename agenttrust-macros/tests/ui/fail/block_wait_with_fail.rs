use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read", on_elevation = "wait")]
impl Files {
    #[guarded(on_elevation = "fail", wait = "5m")]
    fn write(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
