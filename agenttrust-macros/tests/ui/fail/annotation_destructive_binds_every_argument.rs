use agenttrust::{AgentTrustError, guarded};

struct Db;

#[guarded]
#[rust_analyzer::tool(annotations(destructive_hint = true))]
fn delete(db: &Db, path: String) -> Result<String, AgentTrustError> {
    let _ = db;
    Ok(path)
}

fn main() {}
