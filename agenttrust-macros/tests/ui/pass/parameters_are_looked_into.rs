//! A wrapper such as `Parameters<T>` is looked into by its pattern: what the body sees by name is the
//! input, whether or not the wrapper is `Serialize`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde::Serialize;
use serde_json::json;

struct Parameters<T>(T);

#[derive(Serialize)]
struct Request {
    path: String,
    lines: u8,
}

#[guarded(effect = "destructive")]
async fn whole(Parameters(request): Parameters<Request>) -> Result<usize, AgentTrustError> {
    step();
    Ok(request.path.len() + usize::from(request.lines))
}

#[guarded(effect = "destructive", skip(lines))]
async fn inside(
    Parameters(Request { path, lines }): Parameters<Request>,
) -> Result<usize, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(path.len() + usize::from(lines))
}

#[guarded(effect = "read")]
fn one(
    Parameters(Request { mut path, .. }): Parameters<Request>,
) -> Result<String, AgentTrustError> {
    step();
    path.push('!');
    Ok(path)
}

fn parameters() -> Parameters<Request> {
    Parameters(Request { path: "a.txt".to_owned(), lines: 2 })
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(whole(parameters()))), 7);
    captures(json!({ "request": { "path": "a.txt", "lines": 2 } }), || run(whole(parameters())));
    assert_eq!(steps(2).of(|| run(inside(parameters()))), 7);
    captures(json!({ "path": "a.txt" }), || run(inside(parameters())));
    assert_eq!(steps(1).of(|| one(parameters())), "a.txt!");
    captures(json!({ "path": "a.txt" }), || one(parameters()));
}
