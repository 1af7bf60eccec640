//! Every form of `self`.

#![deny(warnings)]

use std::pin::Pin;
use std::sync::Arc;

use agenttrust::{AgentTrustError, guarded};

struct Tool(u8);

impl Tool {
    #[guarded]
    async fn by_ref(&self) -> Result<&u8, AgentTrustError> {
        Ok(&self.0)
    }

    #[guarded]
    fn by_mut(&mut self) -> Result<&mut u8, AgentTrustError> {
        if self.0 == 0 {
            return Ok(&mut self.0);
        }
        self.0 += 1;
        Ok(&mut self.0)
    }

    #[guarded]
    async fn by_value(mut self) -> Result<Self, AgentTrustError> {
        self.0 += 1;
        Ok(self)
    }

    #[guarded]
    async fn by_arc(self: Arc<Self>) -> Result<u8, AgentTrustError> {
        Ok(self.0)
    }

    #[guarded]
    fn by_box(self: Box<Self>) -> Result<Box<Self>, AgentTrustError> {
        Ok(self)
    }

    #[guarded]
    async fn by_pin(self: Pin<&mut Self>) -> Result<u8, AgentTrustError> {
        Ok(self.0)
    }

    #[guarded]
    fn by_none(first: u8) -> Result<Self, AgentTrustError> {
        Ok(Self(first))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Tool(1).by_ref().await.unwrap_err();
    Tool(1).by_mut().unwrap_err();
    assert!(Tool(1).by_value().await.is_err());
    Arc::new(Tool(1)).by_arc().await.unwrap_err();
    assert!(Box::new(Tool(1)).by_box().is_err());
    Pin::new(&mut Tool(1)).by_pin().await.unwrap_err();
    assert!(Tool::by_none(1).is_err());
}
