use agenttrust::{AgentTrustError, guarded};

trait Tool {
    #[guarded]
    fn work(&self) -> Result<(), AgentTrustError>;
}

fn main() {}
