//! `#[guarded]` on an `impl` block: every method of it, whatever its shape.

#![deny(warnings)]

use std::pin::Pin;
use std::sync::Arc;

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};

#[derive(Debug, PartialEq)]
struct Files<T>(T);

#[guarded(effect = "read", scopes("files:read"))]
impl<T: Copy + Send + Sync> Files<T> {
    const LIMIT: usize = 3;

    fn sync(&self, path: &str) -> Result<usize, AgentTrustError> {
        step();
        if path.is_empty() {
            step();
            return Ok(0);
        }
        Ok(path.len().min(Self::LIMIT))
    }

    async fn spun(&mut self, mut value: T) -> Result<T, AgentTrustError> {
        step();
        std::mem::swap(&mut self.0, &mut value);
        tokio::task::yield_now().await;
        step();
        Ok(value)
    }

    fn boxed(&self) -> Pin<Box<dyn Future<Output = Result<T, AgentTrustError>> + Send + '_>> {
        step();
        Box::pin(async move {
            step();
            Ok(self.0)
        })
    }

    async fn shared(self: Arc<Self>) -> Result<T, AgentTrustError> {
        step();
        Ok(self.0)
    }

    /// Without `self`.
    pub(crate) fn made(value: T) -> Result<Self, AgentTrustError> {
        step();
        Ok(Self(value))
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Files(1).sync("a.txt")), 3);
    assert_eq!(steps(2).of(|| Files(1).sync("")), 0);
    assert_eq!(steps(2).of(|| run(Files(1).spun(2))), 1);
    assert_eq!(steps(2).of(|| run(Files(1).boxed())), 1);
    assert_eq!(steps(1).of(|| run(Arc::new(Files(1)).shared())), 1);
    assert_eq!(steps(1).of(|| Files::made(1)), Files(1));
    let check = &allowed(|| Files(1).sync("a.txt")).checks[0];
    assert_eq!(
        (&check.body["action_name"], &check.body["action_effect"]),
        (&"sync".into(), &"read".into())
    );
    assert_eq!(check.headers["agenttrust-scopes"], "files:read");
}
