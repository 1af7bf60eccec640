//! `-> impl Future`: the body that makes the future is deferred into it.

#![deny(warnings)]

use std::sync::atomic::{AtomicU32, Ordering};

use agenttrust::{AgentTrustError, guarded};

static RAN: AtomicU32 = AtomicU32::new(0);

#[guarded]
fn tool(path: &str) -> impl Future<Output = Result<usize, AgentTrustError>> + Send {
    RAN.fetch_add(1, Ordering::SeqCst);
    async move { Ok(path.len()) }
}

trait Work {
    fn work(&self) -> impl Future<Output = Result<usize, AgentTrustError>> + Send;
}

impl Work for String {
    #[guarded]
    fn work(&self) -> impl Future<Output = Result<usize, AgentTrustError>> + Send {
        RAN.fetch_add(1, Ordering::SeqCst);
        async move { Ok(self.len()) }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tool("a.txt").await.unwrap_err();
    String::from("a.txt").work().await.unwrap_err();
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
}
