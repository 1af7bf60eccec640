//! A future that stays on its thread: an `Rc` across an `.await`.

#![deny(warnings)]

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

#[guarded]
async fn spun(shared: Rc<RefCell<u8>>) -> Result<Rc<RefCell<u8>>, AgentTrustError> {
    step();
    let again = Rc::clone(&shared);
    tokio::task::yield_now().await;
    step();
    *again.borrow_mut() += 1;
    Ok(shared)
}

#[guarded]
fn boxed(shared: Rc<u8>) -> Pin<Box<dyn Future<Output = Result<u8, AgentTrustError>>>> {
    step();
    let again = Rc::clone(&shared);
    Box::pin(async move {
        tokio::task::yield_now().await;
        step();
        Ok(*shared + *again)
    })
}

pub(super) fn main() {
    let output = steps(2).of(|| run(spun(Rc::new(RefCell::new(1)))));
    assert_eq!(output.take(), 2);
    assert_eq!(steps(2).of(|| run(boxed(Rc::new(1)))), 2);
    let spawned = async |guard: &AgentTrustGuard| {
        let call = spun(Rc::new(RefCell::new(1)));
        let local = tokio::task::LocalSet::new();
        local.run_until(async { tokio::task::spawn_local(guard.scope(call)).await.unwrap() }).await
    };
    assert_eq!(steps(2).of_named(|guard| run(spawned(guard))).take(), 2);
}
