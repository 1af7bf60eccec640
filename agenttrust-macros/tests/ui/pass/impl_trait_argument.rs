//! `impl Trait` arguments, also ones that are called.

#![deny(warnings)]

use std::fmt::Display;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sync(value: impl Display, make: impl FnOnce() -> u8) -> Result<String, AgentTrustError> {
    step();
    let made = make();
    step();
    Ok(format!("{value} {made}"))
}

#[guarded]
fn borrowed(
    shown: &(impl Display + ?Sized),
    rest: &mut impl Iterator<Item = u8>,
) -> Result<String, AgentTrustError> {
    step();
    Ok(format!("{shown} {:?}", rest.next()))
}

#[guarded]
async fn spun(
    values: impl IntoIterator<Item = impl Display>,
    done: impl AsyncFn() -> u8,
) -> Result<String, AgentTrustError> {
    step();
    let mut text = String::new();
    for value in values {
        step();
        text += &value.to_string();
    }
    step();
    Ok(format!("{text} {}", done().await))
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sync("a", || 1)), "a 1");
    assert_eq!(steps(1).of(|| borrowed("a", &mut [1].into_iter())), "a Some(1)");
    assert_eq!(steps(4).of(|| run(spun([1, 2], async || 3))), "12 3");
}
