//! `async fn` in a trait: the default body, and the implementation of one without.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[allow(async_fn_in_trait)]
pub trait Work {
    #[guarded]
    async fn default(&self, early: bool) -> Result<u8, AgentTrustError> {
        step();
        if early {
            step();
            return Ok(0);
        }
        tokio::task::yield_now().await;
        Ok(1)
    }

    async fn required(&mut self, name: &str) -> Result<String, AgentTrustError>;

    async fn replaced() -> Result<u8, AgentTrustError> {
        unreachable!("the implementation has its own")
    }
}

struct Tool(u8);

impl Work for Tool {
    #[guarded]
    async fn required(&mut self, name: &str) -> Result<String, AgentTrustError> {
        step();
        self.0 += 1;
        step();
        Ok(format!("{name} {}", self.0))
    }

    #[guarded]
    async fn replaced() -> Result<u8, AgentTrustError> {
        step();
        Ok(2)
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(Tool(0).default(true))), 0);
    assert_eq!(steps(1).of(|| run(Tool(0).default(false))), 1);
    assert_eq!(steps(2).of(|| run(Tool(0).required("a"))), "a 1");
    assert_eq!(steps(1).of(|| run(Tool::replaced())), 2);
}
