//! Types that took the names of primitive ones.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

const NAME: &::core::primitive::str = "named";

struct str;
struct u64;
struct bool;
struct usize;

#[guarded(effect = "destructive", tool = NAME, on_elevation = "wait", wait = "1s")]
async fn tool(number: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(number)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(tool(1))), 1);
}
