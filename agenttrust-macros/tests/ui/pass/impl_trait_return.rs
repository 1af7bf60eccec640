//! `-> impl Trait` that is no future, bare and inside a `Result`.

#![deny(warnings)]

use std::fmt::Display;

use agenttrust::{AgentTrustError, guarded};
use counting::{Silent, run, step, steps};

#[guarded]
fn inside(count: u8) -> Result<impl Iterator<Item = u8>, AgentTrustError> {
    step();
    if count == 0 {
        step();
        return Ok(0..0);
    }
    step();
    Ok(0..count)
}

#[guarded]
async fn spun(value: u8) -> Result<impl Display, AgentTrustError> {
    step();
    if value == 0 {
        return Ok(String::new());
    }
    step();
    Ok(value.to_string())
}

#[guarded(on_denied = |_| Vec::new().into_iter())]
fn bare(value: u8) -> impl ExactSizeIterator<Item = u8> {
    step();
    vec![value].into_iter()
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| inside(2).map(Vec::from_iter)), [0, 1]);
    assert_eq!(steps(2).of(|| inside(0).map(Iterator::count)), 0);
    assert_eq!(steps(2).of(|| run(spun(7)).map(|value| value.to_string())), "7");
    assert_eq!(steps(1).of(|| bare(7).next().ok_or(Silent)), 7);
}
