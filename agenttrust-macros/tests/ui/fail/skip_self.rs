use agenttrust::{AgentTrustError, guarded};

struct Tool;

impl Tool {
    #[guarded(skip(self))]
    fn work(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
