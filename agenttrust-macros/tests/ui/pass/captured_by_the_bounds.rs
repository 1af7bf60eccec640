//! Inside a generic function, what is captured goes by the bounds that were written, and what the
//! function is generic over is part of its input.

#![deny(warnings)]

use std::fmt::Debug;

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde::Serialize;
use serde_json::json;

#[guarded]
fn mixed<T: Serialize, U: Debug>(
    known: T,
    unknown: U,
    any: impl Serialize + Debug,
) -> Result<String, AgentTrustError> {
    step();
    drop(known);
    step();
    Ok(format!("{unknown:?} {any:?}"))
}

#[guarded(effect = "destructive")]
async fn strict<'a, T, const N: usize>(rows: &'a [T; N]) -> Result<&'a T, AgentTrustError>
where
    [T; N]: Serialize,
{
    step();
    Ok(&rows[0])
}

#[guarded(effect = "destructive")]
fn by_type<T, const FORCE: bool>() -> Result<&'static str, AgentTrustError> {
    step();
    Ok(std::any::type_name::<T>())
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| mixed(1, 2, "three")), "2 \"three\"");
    captures(json!({ "<T>": "i32", "<U>": "i32", "known": 1, "any": "three" }), || {
        mixed(1, 2, "three")
    });
    assert_eq!(steps(1).of(|| run(strict(&[1, 2])).copied()), 1);
    captures(json!({ "<N>": 2, "<T>": "u8", "rows": [1, 2] }), || run(strict(&[1_u8, 2])).copied());
    assert_eq!(steps(1).of(by_type::<u8, true>), "u8");
    captures(json!({ "<FORCE>": true, "<T>": "u8" }), by_type::<u8, true>);
}
