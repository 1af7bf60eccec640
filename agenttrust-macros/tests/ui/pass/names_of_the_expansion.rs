//! Names that the expansion might have used for itself: the user's own are meant.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

const TOOL: &str = "named";

#[guarded(tool = TOOL)]
fn by_a_constant() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(effect = "destructive")]
async fn by_an_argument<T: serde::Serialize>(must_be_captured: T) -> Result<T, AgentTrustError> {
    step();
    Ok(must_be_captured)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(by_a_constant), 1);
    assert_eq!(steps(1).of(|| run(by_an_argument(1))), 1);
}
