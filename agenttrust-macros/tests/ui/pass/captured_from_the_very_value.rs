//! What is captured is the value that the body then gets, and not a copy of it: seen through arguments
//! that note in themselves that they were read, before the check and once more just before the body.

#![deny(warnings)]

use std::cell::{Cell, RefCell};
use std::sync::Mutex;

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde::{Serialize, Serializer};
use serde_json::json;

/// Counts how often it was read.
struct Noting(Cell<u32>);

impl Serialize for Noting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set(self.0.get() + 1);
        serializer.serialize_str("noted")
    }
}

#[guarded(effect = "read")]
fn noted(
    owned: Noting,
    Noting(inside): Noting,
    ref borrowed: Noting,
) -> Result<[u32; 3], AgentTrustError> {
    step();
    Ok([owned.0.get(), inside.get(), borrowed.0.get()])
}

#[guarded(effect = "mutating")]
async fn changed(
    cart: &RefCell<Vec<u8>>,
    shared: &Mutex<u8>,
    count: Cell<u8>,
) -> Result<u8, AgentTrustError> {
    step();
    cart.borrow_mut().push(9);
    tokio::task::yield_now().await;
    step();
    count.set(count.get() + *shared.lock().unwrap());
    Ok(count.get())
}

fn call() -> Result<[u32; 3], AgentTrustError> {
    noted(Noting(Cell::new(0)), Noting(Cell::new(10)), Noting(Cell::new(20)))
}

pub(super) fn main() {
    assert_eq!(steps(1).of(call), [2, 10, 22]);
    captures(json!({ "owned": "noted", "inside": 10, "borrowed": "noted" }), call);

    let cart = RefCell::new(vec![]);
    assert_eq!(steps(2).of(|| run(changed(&cart, &Mutex::new(2), Cell::new(1)))), 3);
    assert_eq!(cart.take(), [9]);
    captures(json!({ "cart": [], "shared": 2, "count": 1 }), || {
        run(changed(&cart, &Mutex::new(2), Cell::new(1)))
    });
}
