//! Methods that `#[async_trait]` has rewritten, in traits and in implementations.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[async_trait::async_trait]
trait Work: Sync {
    #[guarded]
    async fn default(&self, names: &mut Vec<String>) -> Result<String, AgentTrustError> {
        tokio::task::yield_now().await;
        names.pop().ok_or_else(|| unreachable!("ran without a guard"))
    }

    async fn required(&self, early: bool) -> Result<Box<dyn Work>, AgentTrustError>;
}

#[derive(Debug)]
struct Tool;

#[async_trait::async_trait]
impl Work for Tool {
    #[guarded(effect = "destructive", skip(self))]
    async fn required(&self, early: bool) -> Result<Box<dyn Work>, AgentTrustError> {
        if early {
            return Ok(Box::new(Tool));
        }
        Ok(Box::new(Tool))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Tool.default(&mut vec![]).await.unwrap_err();
    assert!(Tool.required(true).await.is_err());
}
