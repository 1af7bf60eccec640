use agenttrust::{AgentTrustError, guarded};

struct Json<T>(T);

#[guarded(effect = "destructive")]
fn tool(file: Json<String>) -> Result<String, AgentTrustError> {
    Ok(file.0)
}

fn main() {}
