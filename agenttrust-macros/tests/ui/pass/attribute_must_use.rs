//! `#[must_use]` and `#[deprecated]` warn whoever calls, as on the bare function.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Silent, run, step, steps};

#[must_use = "it was asked for"]
#[guarded(on_denied = |_| 0)]
fn above(number: u8) -> u8 {
    step();
    number
}

#[guarded(on_denied = |_| 0)]
#[must_use]
fn below(number: u8) -> u8 {
    step();
    number
}

#[deprecated = "use `below`"]
#[guarded]
fn old(number: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(number)
}

#[guarded]
#[deprecated(since = "1.0.0", note = "use `below`")]
async fn old_async(number: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(number)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| read(above(1))), 1);
    assert_eq!(steps(1).of(|| read(below(1))), 1);
    #[expect(deprecated)]
    let (old, old_async) = (old, old_async);
    assert_eq!(steps(1).of(|| old(1)), 1);
    assert_eq!(steps(1).of(|| run(old_async(1))), 1);
    #[expect(unused_must_use)]
    {
        above(1);
        below(1);
    }
}

fn read(output: u8) -> Result<u8, Silent> {
    if output == 0 { Err(Silent) } else { Ok(output) }
}
