//! `_`, `mut`, `ref`, `ref mut` and `@` in the patterns of arguments.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

#[guarded]
fn sync(
    mut list: Vec<u8>,
    whole @ (left, _): (u8, u8),
    number @ 0..: u32,
    (ref kept, ref mut changed): (String, String),
    _: String,
    _unused: u8,
) -> Result<String, AgentTrustError> {
    step();
    list.push(left + whole.1);
    step();
    changed.push_str(kept);
    Ok(format!("{list:?} {number} {changed}"))
}

#[guarded]
async fn spun((mut a, b): (u8, u8), _: &u8) -> Result<u8, AgentTrustError> {
    step();
    a += b;
    tokio::task::yield_now().await;
    step();
    Ok(a)
}

fn call() -> Result<String, AgentTrustError> {
    sync(vec![], (4, 5), 6, ("b".to_owned(), "a".to_owned()), String::new(), 0)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(call), "[9] 6 ab");
    let bound = json!({
        "list": [], "whole": [4, 5], "left": 4, "number": 6, "kept": "b", "changed": "a", "_unused": 0,
    });
    captures(bound, call);
    assert_eq!(steps(2).of(|| run(spun((1, 2), &3))), 3);
}
