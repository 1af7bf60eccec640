//! `extern "C" fn`, which stays one for whoever has its address.

#![deny(warnings)]

use agenttrust::guarded;
use counting::{Silent, step, steps};

#[guarded(on_denied = |_| -1)]
extern "C" fn tool(number: i32) -> i32 {
    step();
    let double = number * 2;
    step();
    double
}

#[guarded(on_denied = |_| -1)]
unsafe extern "C" fn raw(pointer: *const i32) -> i32 {
    step();
    unsafe { *pointer }
}

pub(super) fn main() {
    let address: extern "C" fn(i32) -> i32 = tool;
    assert_eq!(steps(2).of(|| read(address(4))), 8);
    let address: unsafe extern "C" fn(*const i32) -> i32 = raw;
    assert_eq!(steps(1).of(|| read(unsafe { address(&raw const *&4) })), 4);
}

fn read(output: i32) -> Result<i32, Silent> {
    if output < 0 { Err(Silent) } else { Ok(output) }
}
