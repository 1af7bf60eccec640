//! `self` in a `Box`, `Rc`, `Arc`, `Pin`, and behind `&Arc`.

#![deny(warnings)]

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Tool(u8);

impl Tool {
    #[guarded]
    fn boxed(mut self: Box<Self>) -> Result<u8, AgentTrustError> {
        step();
        self.0 += 1;
        step();
        Ok(self.0)
    }

    #[guarded]
    async fn counted(self: Rc<Self>) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0)
    }

    #[guarded]
    async fn shared(self: Arc<Self>) -> Result<usize, AgentTrustError> {
        step();
        Ok(Arc::strong_count(&self))
    }

    #[guarded]
    fn behind_a_borrow(self: &Arc<Self>) -> Result<Arc<Self>, AgentTrustError> {
        step();
        Ok(Arc::clone(self))
    }

    #[guarded]
    async fn pinned(mut self: Pin<&mut Self>) -> Result<u8, AgentTrustError> {
        step();
        self.0 += 1;
        step();
        Ok(self.0)
    }

    #[guarded]
    fn pinned_in_a_box(self: Pin<Box<Self>>) -> Result<u8, AgentTrustError> {
        step();
        Ok(self.0)
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| Box::new(Tool(1)).boxed()), 2);
    assert_eq!(steps(2).of(|| run(Rc::new(Tool(1)).counted())), 1);
    assert_eq!(steps(1).of(|| run(Arc::new(Tool(1)).shared())), 1);
    let shared = Arc::new(Tool(1));
    assert_eq!(steps(1).of(|| shared.behind_a_borrow().map(|tool| tool.0)), 1);
    assert_eq!(steps(2).of(|| run(Pin::new(&mut Tool(1)).pinned())), 2);
    assert_eq!(steps(1).of(|| Box::pin(Tool(1)).pinned_in_a_box()), 1);
}
