use agenttrust::{AgentTrustError, guarded};

struct Db;

#[guarded(input(db, path))]
fn tool(db: &Db, path: String) -> Result<String, AgentTrustError> {
    let _ = db;
    Ok(path)
}

fn main() {}
