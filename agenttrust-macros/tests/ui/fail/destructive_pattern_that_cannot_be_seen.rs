use agenttrust::{AgentTrustError, guarded};

macro_rules! pair {
    ($a:ident) => {
        ($a, _)
    };
}

#[guarded(effect = "destructive")]
fn tool(pair!(a): (u8, u8)) -> Result<u8, AgentTrustError> {
    Ok(a)
}

fn main() {}
