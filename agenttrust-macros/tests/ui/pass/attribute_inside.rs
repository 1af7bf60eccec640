//! `#![..]` inside the function is about its body.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sync(number: u8) -> Result<u8, AgentTrustError> {
    #![allow(unused_variables)]
    #![expect(unused_mut)]
    step();
    let mut unused = number;
    step();
    Ok(number)
}

#[guarded]
async fn spun(number: u8) -> Result<u8, AgentTrustError> {
    #![allow(unused_variables)]
    step();
    let unused = number;
    Ok(1)
}

#[guarded]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Result<u8, AgentTrustError>> + Send>> {
    #![allow(unused_variables)]
    step();
    let unused = number;
    Box::pin(async { Ok(1) })
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sync(7)), 7);
    assert_eq!(steps(1).of(|| run(spun(7))), 1);
    assert_eq!(steps(1).of(|| run(boxed(7))), 1);
}
