use agenttrust::{AgentTrustError, guarded};

struct Db;

#[guarded(effect = "destructive")]
fn tool(db: &Db, path: String) -> Result<String, AgentTrustError> {
    let _ = db;
    Ok(path)
}

fn main() {}
