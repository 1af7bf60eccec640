use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
impl Files {
    #[rust_analyzer::tool(annotations(destructive_hint = true))]
    fn delete(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
