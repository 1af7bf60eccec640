//! `self` and `mut self`, sync and async.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[derive(Debug, PartialEq)]
struct Tool(u8);

impl Tool {
    #[guarded]
    fn taken(self) -> Result<u8, AgentTrustError> {
        step();
        Ok(self.0)
    }

    #[guarded]
    fn changed(mut self) -> Result<Self, AgentTrustError> {
        step();
        self.0 += 1;
        step();
        Ok(self)
    }

    #[guarded]
    async fn changed_async(mut self, early: bool) -> Result<Self, AgentTrustError> {
        step();
        self.0 += 1;
        if early {
            step();
            return Ok(self);
        }
        tokio::task::yield_now().await;
        self.0 += 1;
        Ok(self)
    }

    #[guarded]
    fn made(number: u8) -> Result<Self, AgentTrustError> {
        step();
        Ok(Self(number))
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool(1).taken()), 1);
    assert_eq!(steps(2).of(|| Tool(1).changed()), Tool(2));
    assert_eq!(steps(2).of(|| run(Tool(1).changed_async(true))), Tool(2));
    assert_eq!(steps(1).of(|| run(Tool(1).changed_async(false))), Tool(3));
    assert_eq!(steps(1).of(|| Tool::made(1)), Tool(1));
}
