use agenttrust::{AgentTrustError, guarded};

trait Named {
    const NAME: &'static str;
}

#[guarded(tool = T::NAME)]
fn tool<T: Named>() -> Result<(), AgentTrustError> {
    Ok(())
}

fn main() {}
