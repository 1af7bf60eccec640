//! `&self` and `&mut self`, sync and async, and borrows of it that are returned.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Tool(u8);

impl Tool {
    #[guarded]
    fn shared(&self) -> Result<&u8, AgentTrustError> {
        step();
        Ok(&self.0)
    }

    #[guarded]
    async fn shared_async<'a>(&'a self, other: &'a u8) -> Result<&'a u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(if self.0 > *other { &self.0 } else { other })
    }

    #[guarded]
    fn changed(&mut self) -> Result<&mut u8, AgentTrustError> {
        step();
        if self.0 == 0 {
            step();
            return Ok(&mut self.0);
        }
        self.0 += 1;
        Ok(&mut self.0)
    }

    #[guarded]
    async fn changed_async(&mut self, by: u8) -> Result<&mut u8, AgentTrustError> {
        step();
        self.0 += by;
        step();
        Ok(&mut self.0)
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool(1).shared().copied()), 1);
    assert_eq!(steps(2).of(|| run(Tool(1).shared_async(&2)).copied()), 2);
    assert_eq!(steps(2).of(|| Tool(0).changed().copied()), 0);
    assert_eq!(steps(1).of(|| Tool(1).changed().copied()), 2);
    assert_eq!(steps(2).of(|| run(Tool(1).changed_async(2)).copied()), 3);
}
