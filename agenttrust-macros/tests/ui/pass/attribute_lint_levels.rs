//! `#[allow]` and `#[expect]` on the function reach its body and are fulfilled there.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[allow(unused_variables)]
#[guarded]
fn allowed(number: u8) -> Result<u8, AgentTrustError> {
    step();
    let unused = number;
    Ok(1)
}

#[guarded]
#[expect(unused_variables, unused_mut)]
async fn expected(number: u8) -> Result<u8, AgentTrustError> {
    step();
    let mut two = 2;
    Ok(two)
}

#[guarded]
#[expect(non_snake_case)]
fn Named(Number: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(Number)
}

#[expect(dead_code)]
#[guarded]
fn never_called() -> Result<u8, AgentTrustError> {
    Ok(1)
}

#[guarded]
#[expect(unreachable_code)]
fn unreachable(number: u8) -> Result<u8, AgentTrustError> {
    step();
    return Ok(number);
    step();
    Ok(0)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| allowed(1)), 1);
    assert_eq!(steps(1).of(|| run(expected(1))), 2);
    assert_eq!(steps(1).of(|| Named(3)), 3);
    assert_eq!(steps(1).of(|| unreachable(4)), 4);
}
