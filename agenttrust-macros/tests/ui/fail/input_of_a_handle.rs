use agenttrust::{AgentTrustError, guarded};

struct State<T>(T);

#[guarded(input(state))]
fn tool(state: State<u8>) -> Result<u8, AgentTrustError> {
    Ok(state.0)
}

fn main() {}
