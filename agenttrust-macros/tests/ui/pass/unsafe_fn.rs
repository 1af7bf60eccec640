//! `unsafe fn`, sync and async; the body stays as unsafe as it was.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
unsafe fn sync(pointer: *const u8) -> Result<u8, AgentTrustError> {
    step();
    let value = unsafe { *pointer };
    step();
    Ok(value)
}

#[guarded]
#[allow(unsafe_op_in_unsafe_fn)]
unsafe fn without_a_block(pointer: *const u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(*pointer)
}

#[guarded]
async unsafe fn spun(pointer: *const u8) -> Result<u8, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(unsafe { *pointer })
}

pub(super) fn main() {
    let value = 7;
    assert_eq!(steps(2).of(|| unsafe { sync(&raw const value) }), 7);
    assert_eq!(steps(1).of(|| unsafe { without_a_block(&raw const value) }), 7);
    assert_eq!(steps(2).of(|| run(unsafe { spun(&raw const value) })), 7);
}
