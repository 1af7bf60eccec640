//! Constants, statics and unit structs with the names that the expansion binds.

#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals, non_camel_case_types)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

const input: u8 = 1;
const action: u8 = 1;
static guard: u8 = 1;
static decision: u8 = 1;
struct permit;
struct output;
struct outcome;
struct error;
struct capture;
struct future;

#[guarded(effect = "destructive", on_denied = |refused| Err(refused))]
async fn tool(number: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(number + input + action + guard + decision)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(tool(1))), 5);
}
