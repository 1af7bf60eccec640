use agenttrust::{AgentTrustError, guarded};

struct Files;

#[guarded(effect = "destructive")]
impl Files {
    #[guarded(efect = "read")]
    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }

    const fn limit(&self) -> Result<usize, AgentTrustError> {
        Ok(1)
    }

    #[guarded(skip(self), skip(pth))]
    fn delete(&self, path: String) -> Result<String, AgentTrustError> {
        Ok(path)
    }
}

fn main() {
    let files = Files;
    let _ = (files.list(), files.limit(), files.delete(String::new()));
}
