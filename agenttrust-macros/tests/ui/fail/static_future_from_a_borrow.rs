use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn tool(path: &str) -> Pin<Box<dyn Future<Output = Output> + Send>> {
    let length = path.len();
    Box::pin(async move { Ok(length) })
}

fn main() {}
