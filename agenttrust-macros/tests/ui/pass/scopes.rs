//! `scopes(..)` asks for these beside the tool itself.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};

#[guarded(scopes("db:write"))]
fn one() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(scopes("db:write", "mail:send",))]
async fn two() -> Result<u8, AgentTrustError> {
    step();
    Ok(2)
}

#[guarded]
fn none() -> Result<u8, AgentTrustError> {
    step();
    Ok(0)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(one), 1);
    assert_eq!(steps(1).of(|| run(two())), 2);
    assert_eq!(scopes(one), Some("db:write".to_owned()));
    assert_eq!(scopes(|| run(two())), Some("db:write,mail:send".to_owned()));
    assert_eq!(scopes(none), None);
}

fn scopes<R>(call: impl FnOnce() -> R) -> Option<String> {
    let check = allowed(call).checks.remove(0);
    check.headers.get("agenttrust-scopes").map(|scopes| scopes.to_str().unwrap().to_owned())
}
