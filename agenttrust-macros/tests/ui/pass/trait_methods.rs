//! Default methods, native `async fn` in traits, and implementations of both.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

trait Work {
    #[guarded]
    fn sync(&self) -> Result<u8, AgentTrustError> {
        Ok(1)
    }

    #[guarded]
    async fn spun(&self) -> Result<u8, AgentTrustError> {
        Ok(1)
    }

    async fn required(&self) -> Result<u8, AgentTrustError>;
}

struct Tool;

impl Work for Tool {
    #[guarded]
    async fn required(&self) -> Result<u8, AgentTrustError> {
        Ok(1)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Tool.sync().unwrap_err();
    Tool.spun().await.unwrap_err();
    Tool.required().await.unwrap_err();
}
