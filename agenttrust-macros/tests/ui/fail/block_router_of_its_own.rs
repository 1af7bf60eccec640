use agenttrust::{AgentTrustError, guarded};

struct Files;

struct ToolRouter<T>(T);

#[guarded(effect = "read")]
impl Files {
    // Not the function that `#[tool_router]` adds.
    fn reset() -> ToolRouter<Self> {
        ToolRouter(Self)
    }

    fn list(&self) -> Result<(), AgentTrustError> {
        Ok(())
    }
}

fn main() {
    let _ = Files::reset().0;
}
