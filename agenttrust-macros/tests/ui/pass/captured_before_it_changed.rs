//! A destructive call whose arguments changed between the check and the body does not run: what was
//! checked is what runs.

#![deny(warnings)]

#[path = "../counting.rs"]
mod counting;

use std::cell::Cell;

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};
use serde::{Serialize, Serializer};

/// Another value each time it is read.
struct Changing(Cell<u32>);

impl Serialize for Changing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set(self.0.get() + 1);
        serializer.serialize_u32(self.0.get())
    }
}

#[guarded(effect = "destructive")]
fn sync(target: Changing) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.0.get())
}

#[guarded(effect = "admin")]
async fn spun(target: &Changing) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.0.get())
}

#[guarded(effect = "destructive")]
async fn steady(target: &Cell<u32>) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.replace(9))
}

fn main() {
    never(|| sync(Changing(Cell::new(0))));
    never(|| run(spun(&Changing(Cell::new(0)))));
    assert_eq!(steps(1).of(|| run(steady(&Cell::new(7)))), 7);
}

fn never(call: impl FnOnce() -> Result<u32, AgentTrustError>) {
    let run = allowed(call);
    assert_eq!(run.output.unwrap_err().code(), "ACTION_DENIED");
    assert_eq!((run.steps, run.outcomes), (0, vec!["InputChanged".to_owned()]));
}
