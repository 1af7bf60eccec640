use agenttrust::{AgentTrustError, guarded};

type Output = Result<usize, AgentTrustError>;

#[guarded]
async fn tool(path: String) -> Result<impl Future<Output = Output>, AgentTrustError> {
    Ok(async move { Ok(path.len()) })
}

fn main() {}
