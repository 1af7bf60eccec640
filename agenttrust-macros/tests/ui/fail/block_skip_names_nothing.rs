use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(skip(foldr))]
impl Files {
    fn list(&self, folder: String) -> Result<String, AgentTrustError> {
        Ok(folder)
    }
}

fn main() {}
