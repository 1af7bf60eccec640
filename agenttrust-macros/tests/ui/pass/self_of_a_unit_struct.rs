//! `self` of a type that holds nothing.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit;

impl Unit {
    #[guarded]
    fn shared(&self) -> Result<Self, AgentTrustError> {
        step();
        Ok(*self)
    }

    #[guarded(effect = "admin", skip(self))]
    async fn taken(self) -> Result<Unit, AgentTrustError> {
        step();
        let Self = self;
        step();
        Ok(Unit)
    }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| Unit.shared()), Unit);
    assert_eq!(steps(2).of(|| run(Unit.taken())), Unit);
}
