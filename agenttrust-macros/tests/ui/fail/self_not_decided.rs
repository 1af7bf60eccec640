use agenttrust::{AgentTrustError, guarded};

struct File {
    path: String,
}

impl File {
    #[guarded(effect = "destructive")]
    fn delete(&self) -> Result<(), AgentTrustError> {
        drop(self.path.clone());
        Ok(())
    }
}

fn main() {}
