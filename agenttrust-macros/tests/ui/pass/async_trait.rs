//! Methods that `#[async_trait]` has rewritten, in the trait and in its implementation.

#![deny(warnings)]

use std::rc::Rc;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[async_trait::async_trait]
trait Work: Sync {
    #[guarded]
    async fn default(&self, names: &mut Vec<String>) -> Result<String, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(names.pop().unwrap_or_default())
    }

    async fn required(&self, early: bool) -> Result<Box<dyn Work>, AgentTrustError>;

    fn name(&self) -> String {
        "tool".to_owned()
    }
}

struct Tool;

#[async_trait::async_trait]
impl Work for Tool {
    #[guarded(effect = "destructive", skip(self))]
    async fn required(&self, early: bool) -> Result<Box<dyn Work>, AgentTrustError> {
        step();
        if early {
            step();
            return Ok(Box::new(Tool));
        }
        tokio::task::yield_now().await;
        Ok(Box::new(Tool))
    }
}

#[async_trait::async_trait(?Send)]
trait Local {
    async fn shared<T>(self: Rc<Self>, value: T) -> Result<T, AgentTrustError>;
}

#[async_trait::async_trait(?Send)]
impl Local for Tool {
    #[guarded]
    async fn shared<T>(self: Rc<Self>, value: T) -> Result<T, AgentTrustError> {
        step();
        Ok(value)
    }
}

pub(super) fn main() {
    let work: &dyn Work = &Tool;
    assert_eq!(steps(2).of(|| run(work.default(&mut vec!["a".to_owned()]))), "a");
    assert_eq!(steps(2).of(|| run(work.required(true)).map(|work| work.name())), "tool");
    assert_eq!(steps(1).of(|| run(work.required(false)).map(|work| work.name())), "tool");
    assert_eq!(steps(1).of(|| run(Rc::new(Tool).shared(Rc::new(1)))), Rc::new(1));
}
