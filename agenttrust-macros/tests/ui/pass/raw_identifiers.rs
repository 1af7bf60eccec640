//! Functions and arguments with raw identifiers are named without the `r#`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, captures, run, step, steps};
use serde_json::json;

#[guarded]
fn r#type(r#match: u8, r#fn: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(r#match + r#fn)
}

#[guarded(effect = "destructive", skip(r#in), input(r#loop))]
async fn r#gen<'r#a>(r#in: &'r#a str, mut r#loop: u8) -> Result<usize, AgentTrustError> {
    step();
    r#loop += 1;
    Ok(r#in.len() + usize::from(r#loop))
}

#[guarded(skip(plain))]
fn mixed(r#plain: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(plain)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| r#type(1, 2)), 3);
    captures(json!({ "match": 1, "fn": 2 }), || r#type(1, 2));
    assert_eq!(allowed(|| r#type(1, 2)).checks[0].body["action_name"], "type");
    assert_eq!(steps(1).of(|| run(r#gen("abc", 1))), 5);
    captures(json!({ "loop": 1 }), || run(r#gen("abc", 1)));
    assert_eq!(allowed(|| run(r#gen("abc", 1))).checks[0].body["action_name"], "gen");
    assert_eq!(steps(1).of(|| mixed(1)), 1);
    captures(serde_json::Value::Null, || mixed(1));
}
