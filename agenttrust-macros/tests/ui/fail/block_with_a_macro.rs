use agenttrust::{AgentTrustError, guarded};

macro_rules! more {
    () => {
        fn hidden(&self) -> Result<(), agenttrust::AgentTrustError> {
            Ok(())
        }
    };
}

struct Files;

#[guarded(effect = "read")]
impl Files {
    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }

    more!();
}

fn main() {
    let _ = Files.hidden();
}
