use agenttrust::{AgentTrustError, guarded};

type Output = Result<usize, AgentTrustError>;

struct Tool(usize);

impl Tool {
    #[guarded]
    fn work(&self) -> impl Future<Output = Output> + 'static {
        let length = self.0;
        async move { Ok(length) }
    }
}

fn main() {}
