//! Constant expressions in the types of the arguments, the output and the call.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

const WIDTH: usize = 2;

#[guarded]
fn doubled(bytes: [u8; WIDTH + 1]) -> Result<[u8; WIDTH * 3], AgentTrustError> {
    step();
    let mut all = [0; WIDTH * 3];
    step();
    all[..WIDTH + 1].copy_from_slice(&bytes);
    Ok(all)
}

#[guarded]
async fn times<const N: u32>(number: u32) -> Result<u32, AgentTrustError> {
    step();
    Ok(N * number)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| doubled([1, 2, 3])), [1, 2, 3, 0, 0, 0]);
    assert_eq!(steps(1).of(|| run(times::<{ 2 + 3 }>(4))), 20);
}
