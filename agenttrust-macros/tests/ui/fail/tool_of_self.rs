use agenttrust::{AgentTrustError, guarded};

struct Tool;

impl Tool {
    const NAME: &str = "work";

    #[guarded(tool = Self::NAME)]
    fn work(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {}
