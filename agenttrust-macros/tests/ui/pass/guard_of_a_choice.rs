//! `guard = ..` is any expression, and an argument of which only it or `on_denied` speaks is used.

#![deny(warnings)]

use std::sync::Arc;

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{run, step, steps};

struct Tools {
    first: Arc<AgentTrustGuard>,
    second: AgentTrustGuard,
}

impl Tools {
    fn with(guard: &AgentTrustGuard) -> Self {
        Self { first: Arc::new(guard.clone()), second: guard.clone() }
    }
}

#[guarded(guard = if of_first { &*tools.first } else { &tools.second }, skip_all)]
async fn chosen(tools: &Tools, of_first: bool) -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(
    guard = tools.first,
    on_denied = |error| {
        assert_eq!(name, "ada");
        Err(error)
    },
    skip_all
)]
fn denied(tools: &Tools, name: &str) -> Result<u8, AgentTrustError> {
    step();
    Ok(2)
}

pub(super) fn main() {
    for of_first in [true, false] {
        let one = steps(1).of_named(|guard| run(chosen(&Tools::with(guard), of_first)));
        assert_eq!(one, 1);
    }
    assert_eq!(steps(1).of_named(|guard| denied(&Tools::with(guard), "ada")), 2);
}
