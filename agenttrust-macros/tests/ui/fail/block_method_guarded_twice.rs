use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    #[guarded(effect = "mutating")]
    #[guarded(scopes("files:write"))]
    fn write(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
