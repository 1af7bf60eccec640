//! Traits of the user that give every type methods, under the very names that the expansion calls.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

trait Everything {
    fn capture(&self) -> u8 {
        1
    }
    fn call_outcome(&self) -> u8 {
        1
    }
    fn add(&self) {}
    fn add_type(&self) {}
    fn clone(&self) -> u8 {
        1
    }
}

impl<T: ?Sized> Everything for T {}

struct Handle;

#[guarded(effect = "destructive")]
async fn spun<T: serde::Serialize>(value: T) -> Result<T, AgentTrustError> {
    step();
    Ok(value)
}

#[guarded]
fn sync(handle: Handle, number: u8) -> Result<u8, AgentTrustError> {
    step();
    handle.add();
    Ok(number + handle.capture() + handle.call_outcome())
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(spun(1))), 1);
    captures(json!({ "<T>": "i32", "value": 1 }), || run(spun(1)));
    assert_eq!(steps(1).of(|| sync(Handle, 1)), 3);
    captures(json!({ "number": 1 }), || sync(Handle, 1));
    Everything::add_type(&0);
    assert_eq!(Everything::clone(&0), 1);
}
