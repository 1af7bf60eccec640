use agenttrust::{AgentTrustError, guarded};

type Output = Result<usize, AgentTrustError>;

#[guarded]
fn tool(path: String) -> Box<dyn Future<Output = Output> + Unpin> {
    Box::new(std::future::ready(Ok(path.len())))
}

fn main() {}
