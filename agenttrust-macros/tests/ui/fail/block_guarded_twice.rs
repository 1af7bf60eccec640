use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "read")]
#[guarded(skip(path))]
impl Files {
    fn list(&self, path: String) -> Result<String, AgentTrustError> {
        Ok(path)
    }
}

fn main() {}
