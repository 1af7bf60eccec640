//! `#[guarded]` on the implementation of a trait, also one that `#[async_trait]` rewrites.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

trait Work {
    type Output;

    fn sync(&self) -> Result<Self::Output, AgentTrustError>;

    fn spun(&self, by: u8) -> impl Future<Output = Result<u8, AgentTrustError>> + Send;
}

#[async_trait::async_trait]
trait Boxed {
    async fn work(&mut self, early: bool) -> Result<u8, AgentTrustError>;
}

struct Tool(u8);

#[guarded(effect = "mutating")]
impl Work for Tool {
    type Output = u8;

    fn sync(&self) -> Result<Self::Output, AgentTrustError> {
        step();
        Ok(self.0)
    }

    async fn spun(&self, by: u8) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0 + by)
    }
}

#[async_trait::async_trait]
#[guarded(effect = "destructive", skip(self))]
impl Boxed for Tool {
    async fn work(&mut self, early: bool) -> Result<u8, AgentTrustError> {
        step();
        if early {
            step();
            return Ok(0);
        }
        self.0 += 1;
        Ok(self.0)
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool(1).sync()), 1);
    assert_eq!(steps(2).of(|| run(Tool(1).spun(2))), 3);
    let mut tool = Tool(1);
    let work: &mut dyn Boxed = &mut tool;
    assert_eq!(steps(2).of(|| run(work.work(true))), 0);
    assert_eq!(steps(1).of(|| run(work.work(false))), 2);
}
