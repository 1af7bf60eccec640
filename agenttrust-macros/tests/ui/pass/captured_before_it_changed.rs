//! A call whose arguments changed between the check and the body does not run, whatever its effect and
//! its shape: what was checked is what runs.

#![deny(warnings)]

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;

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

#[guarded]
fn undeclared(target: Changing) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.0.get())
}

#[guarded(effect = "read", input(target))]
async fn chosen(target: &Changing, _other: u32) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.0.get())
}

#[guarded(effect = "mutating")]
fn boxed<'a>(
    target: &'a Changing,
) -> Pin<Box<dyn Future<Output = Result<u32, AgentTrustError>> + 'a>> {
    step();
    Box::pin(async { Ok(target.0.get()) })
}

#[guarded]
fn deferred(target: &Changing) -> impl Future<Output = Result<u32, AgentTrustError>> {
    step();
    async { Ok(target.0.get()) }
}

struct Tools;

#[guarded]
impl Tools {
    async fn method(&self, target: &Changing) -> Result<u32, AgentTrustError> {
        step();
        Ok(target.0.get())
    }
}

#[guarded(effect = "read", skip(target))]
async fn skipped(target: &Changing) -> Result<u32, AgentTrustError> {
    step();
    Ok(target.0.get())
}

pub(super) fn main() {
    never(|| sync(Changing(Cell::new(0))));
    never(|| run(spun(&Changing(Cell::new(0)))));
    never(|| undeclared(Changing(Cell::new(0))));
    never(|| run(chosen(&Changing(Cell::new(0)), 1)));
    never(|| run(boxed(&Changing(Cell::new(0)))));
    never(|| run(deferred(&Changing(Cell::new(0)))));
    never(|| run(Tools.method(&Changing(Cell::new(0)))));
    assert_eq!(steps(1).of(|| run(skipped(&Changing(Cell::new(0))))), 0);
    assert_eq!(steps(1).of(|| run(steady(&Cell::new(7)))), 7);
}

fn never(call: impl FnOnce() -> Result<u32, AgentTrustError>) {
    let run = allowed(call);
    assert_eq!(run.output.unwrap_err().code(), "ACTION_DENIED");
    assert_eq!((run.steps, run.outcomes), (0, vec!["InputChanged".to_owned()]));
}
