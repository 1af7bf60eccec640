use agenttrust::{AgentTrustError, guarded};

#[guarded(effect = "read")]
trait Files {
    fn list(&self) -> Result<(), AgentTrustError>;
}

fn main() {}
