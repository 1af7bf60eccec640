use agenttrust::{AgentTrustError, guarded};

struct Tool;

#[guarded(effect = "read")]
impl Tool {
    fn work(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {
    Tool.work().unwrap();
}
