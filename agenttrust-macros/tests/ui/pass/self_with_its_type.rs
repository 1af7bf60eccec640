//! `self` with its type written out: `self: Self`, `self: &Self`, an alias, a nested pointer.

#![deny(warnings)]

use std::pin::Pin;
use std::rc::Rc;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Tool(u8);
type Alias = Tool;

impl Tool {
    #[guarded]
    fn shared(self: &Self) -> Result<&u8, AgentTrustError> {
        step();
        Ok(&self.0)
    }

    #[guarded]
    fn changed<'a>(self: &'a mut Self, by: &u8) -> Result<&'a mut u8, AgentTrustError> {
        step();
        self.0 += by;
        Ok(&mut self.0)
    }

    #[guarded]
    async fn taken(mut self: Self) -> Result<u8, AgentTrustError> {
        step();
        self.0 += 1;
        Ok(self.0)
    }

    #[guarded]
    fn named(self: Tool) -> Result<u8, AgentTrustError> {
        step();
        Ok(self.0)
    }

    #[guarded]
    async fn aliased(self: &Alias, other: &u8) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0 + other)
    }

    #[guarded]
    async fn nested(self: Rc<Box<Self>>) -> Result<u8, AgentTrustError> {
        step();
        Ok(self.0)
    }

    #[guarded(effect = "destructive", skip(self))]
    async fn pinned<'a>(self: Pin<&'a Self>, other: &u8) -> Result<&'a u8, AgentTrustError> {
        step();
        assert_eq!(*other, 1);
        Ok(&self.get_ref().0)
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Tool(1).shared().copied()), 1);
    assert_eq!(steps(1).of(|| Tool(1).changed(&1).copied()), 2);
    assert_eq!(steps(1).of(|| run(Tool(1).taken())), 2);
    assert_eq!(steps(1).of(|| Tool(1).named()), 1);
    assert_eq!(steps(2).of(|| run(Tool(1).aliased(&1))), 2);
    assert_eq!(steps(1).of(|| run(Rc::new(Box::new(Tool(1))).nested())), 1);
    assert_eq!(steps(1).of(|| run(Pin::new(&Tool(1)).pinned(&1)).copied()), 1);
}
