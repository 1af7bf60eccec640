//! A future that is `Send` without the check is `Send` with it, whatever else the arguments, the
//! output and the guard are not.

#![deny(warnings)]

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Mutex;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

#[guarded]
async fn not_sync(cell: Cell<u8>) -> Result<Cell<u8>, AgentTrustError> {
    step();
    cell.set(cell.get() + 1);
    tokio::task::yield_now().await;
    step();
    Ok(cell)
}

#[guarded(effect = "destructive", skip(list))]
async fn strict(list: &mut Vec<Cell<u8>>, name: &str) -> Result<usize, AgentTrustError> {
    step();
    list.push(Cell::new(0));
    tokio::task::yield_now().await;
    step();
    Ok(name.len() + list.len())
}

#[guarded(on_elevation = "wait", wait = "1s")]
fn implied(text: String) -> impl Future<Output = Result<usize, AgentTrustError>> {
    step();
    async move { Ok(text.len()) }
}

#[guarded]
fn boxed(text: &str) -> Pin<Box<dyn Future<Output = Result<usize, AgentTrustError>> + Send + '_>> {
    step();
    Box::pin(async move { Ok(text.len()) })
}

struct Tool(Mutex<Option<AgentTrustGuard>>);

impl Tool {
    #[guarded(guard = self.0.lock().unwrap().as_ref().unwrap())]
    async fn locked(&self) -> Result<u8, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        Ok(1)
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(assert_send(not_sync(Cell::new(1))))), Cell::new(2));
    assert_eq!(steps(2).of(|| run(assert_send(strict(&mut vec![], "abc")))), 4);
    assert_eq!(steps(1).of(|| run(assert_send(implied("abc".to_owned())))), 3);
    assert_eq!(steps(1).of(|| run(assert_send(boxed("abc")))), 3);
    assert_eq!(
        steps(1)
            .of_named(|guard| { run(assert_send(Tool(Mutex::new(Some(guard.clone()))).locked())) }),
        1
    );
}
