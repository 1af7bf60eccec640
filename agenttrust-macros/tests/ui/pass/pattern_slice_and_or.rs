//! Slice patterns and or-patterns, where they cannot fail.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

enum Place {
    Row(u8, ()),
    Column { number: u8 },
}

#[guarded]
fn sync(
    [first, .., last]: [u8; 4],
    [_, rest @ ..]: [u8; 3],
    (Ok(value) | Err(value)): Result<u8, u8>,
) -> Result<u8, AgentTrustError> {
    step();
    let ends = first + last;
    step();
    Ok(ends + rest[1] + value)
}

#[guarded]
async fn spun(
    (Place::Row(mut number, ()) | Place::Column { mut number }): Place,
) -> Result<u8, AgentTrustError> {
    step();
    number += 1;
    Ok(number)
}

pub(super) fn main() {
    let call = || sync([1, 0, 0, 2], [0, 3, 4], Err(5));
    assert_eq!(steps(2).of(call), 12);
    captures(json!({ "first": 1, "last": 2, "rest": [3, 4], "value": 5 }), call);
    assert_eq!(steps(1).of(|| run(spun(Place::Row(1, ())))), 2);
    assert_eq!(steps(1).of(|| run(spun(Place::Column { number: 2 }))), 3);
    captures(json!({ "number": 1 }), || run(spun(Place::Row(1, ()))));
}
