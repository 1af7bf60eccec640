//! Arguments that are taken apart: tuples, structs, references, and these nested.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

struct Request {
    path: String,
    mode: (u32, Bits),
    rest: (),
}

struct Bits((), [u8; 2]);

#[guarded]
fn sync(
    Request { path, mode: (number, Bits(_, [first, second])), rest: () }: Request,
    (left, (middle, right)): (u8, (u8, u8)),
) -> Result<String, AgentTrustError> {
    step();
    let bits = first + second;
    step();
    Ok(format!("{path} {number} {bits} {}", left + middle + right))
}

#[guarded]
async fn spun(&(a, b): &(u8, u8), &mut ref mut list: &mut Vec<u8>) -> Result<u8, AgentTrustError> {
    step();
    list.push(a);
    step();
    Ok(a + b)
}

fn request() -> Request {
    Request { path: "a.txt".to_owned(), mode: (7, Bits((), [1, 2])), rest: () }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sync(request(), (1, (2, 3)))), "a.txt 7 3 6");
    let bound = json!({
        "path": "a.txt", "number": 7, "first": 1, "second": 2, "left": 1, "middle": 2, "right": 3,
    });
    captures(bound, || sync(request(), (1, (2, 3))));

    let mut list = vec![];
    assert_eq!(steps(2).of(|| run(spun(&(1, 2), &mut list))), 3);
    assert_eq!(list, [1]);
}
