//! `-> Pin<Box<dyn Future>>`: also what stands before the tail, and an early return, is deferred.

#![deny(warnings)]

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use agenttrust::{AgentTrustError, guarded};

type Output = Result<usize, AgentTrustError>;

static RAN: AtomicU32 = AtomicU32::new(0);

#[guarded]
fn tool(path: &str) -> Pin<Box<dyn Future<Output = Output> + Send + '_>> {
    RAN.fetch_add(1, Ordering::SeqCst);
    if path.is_empty() {
        return Box::pin(async { Ok(0) });
    }
    RAN.fetch_add(1, Ordering::SeqCst);
    Box::pin(async move {
        RAN.fetch_add(1, Ordering::SeqCst);
        Ok(path.len())
    })
}

#[guarded]
fn not_send(path: Rc<str>) -> Pin<Box<dyn Future<Output = Output>>> {
    RAN.fetch_add(1, Ordering::SeqCst);
    Box::pin(async move { Ok(path.len()) })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tool("").await.unwrap_err();
    tool("a.txt").await.unwrap_err();
    not_send("a.txt".into()).await.unwrap_err();
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
}
