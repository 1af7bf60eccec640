//! `skip_all`: the call is checked by its name alone.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::Value;

#[guarded(effect = "read", skip_all)]
fn sync(path: &str, lines: u8) -> Result<usize, AgentTrustError> {
    step();
    Ok(path.len() + usize::from(lines))
}

#[guarded(skip_all)]
async fn spun<T>(query: Vec<T>) -> Result<usize, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(query.len())
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| sync("a.txt", 1)), 6);
    captures(Value::Null, || sync("a.txt", 1));
    assert_eq!(steps(2).of(|| run(spun(vec!["a"]))), 1);
    captures(Value::Null, || run(spun(vec!["a"])));
}
