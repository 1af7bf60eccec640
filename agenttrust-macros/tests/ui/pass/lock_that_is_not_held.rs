//! A lock that is let go before the `.await` keeps the future `Send`.

#![deny(warnings)]

use std::sync::{Arc, Mutex};

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
async fn tool(numbers: Arc<Mutex<Vec<u8>>>) -> Result<usize, AgentTrustError> {
    step();
    {
        let mut numbers = numbers.lock().unwrap();
        numbers.push(1);
        step();
    }
    tokio::task::yield_now().await;
    let length = numbers.lock().unwrap().len();
    tokio::task::yield_now().await;
    step();
    Ok(length)
}

#[guarded]
async fn in_the_tail(numbers: &Mutex<Vec<u8>>) -> Result<u8, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    Ok(numbers.lock().unwrap()[0])
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

pub(super) fn main() {
    assert_eq!(steps(3).of(|| run(assert_send(tool(Arc::default())))), 1);
    assert_eq!(steps(1).of(|| run(assert_send(in_the_tail(&Mutex::new(vec![7]))))), 7);
}
