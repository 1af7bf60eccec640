use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(input(folder))]
impl Files {
    fn list(&self, folder: String) -> Result<String, AgentTrustError> {
        Ok(folder)
    }
}

fn main() {}
