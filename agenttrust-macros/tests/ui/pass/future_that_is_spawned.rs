//! Futures from owned arguments are `'static`, and can be spawned.

#![deny(warnings)]

use std::sync::Arc;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

struct Tool(u8);

impl Tool {
    #[guarded]
    async fn method(self: Arc<Self>, by: u8) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0 + by)
    }
}

#[guarded(effect = "destructive")]
async fn function(names: Vec<String>) -> Result<usize, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    Ok(names.len())
}

#[guarded]
fn implied(name: String) -> impl Future<Output = Result<usize, AgentTrustError>> + Send + 'static {
    step();
    async move {
        step();
        Ok(name.len())
    }
}

async fn spawned<T: Send + 'static>(
    guard: &AgentTrustGuard,
    call: impl Future<Output = T> + Send + 'static,
) -> T {
    tokio::spawn(guard.scope(call)).await.unwrap()
}

pub(super) fn main() {
    assert_eq!(steps(2).of_named(|guard| run(spawned(guard, Arc::new(Tool(1)).method(2)))), 3);
    let names = || vec!["ada".to_owned()];
    assert_eq!(steps(1).of_named(|guard| run(spawned(guard, function(names())))), 1);
    assert_eq!(steps(2).of_named(|guard| run(spawned(guard, implied("ada".to_owned())))), 3);
}
