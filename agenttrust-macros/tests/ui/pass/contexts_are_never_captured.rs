//! What a framework hands in is never the input, even where it is `Serialize`.

#![deny(warnings)]

#[path = "../counting.rs"]
mod counting;

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Clone, Serialize)]
struct State<T>(T);

#[derive(Serialize)]
struct Extension<T>(T);

#[derive(Serialize)]
struct RequestContext {
    secret: &'static str,
}

mod web {
    pub(crate) type CallContext = u8;
}

#[guarded]
async fn handler(
    State(db): State<&str>,
    Extension(user): Extension<String>,
    context: &RequestContext,
    call: web::CallContext,
    path: &str,
) -> Result<String, AgentTrustError> {
    step();
    let secret = context.secret;
    step();
    Ok(format!("{db} {user} {secret} {call} {path}"))
}

#[guarded(effect = "destructive", skip(state, user))]
fn strict(state: State<u8>, Extension(user): Extension<u8>, id: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(state.0 + user + id)
}

#[guarded]
fn mutable(state: &mut State<u8>) -> Result<u8, AgentTrustError> {
    step();
    state.0 += 1;
    Ok(state.0)
}

async fn call() -> Result<String, AgentTrustError> {
    let context = RequestContext { secret: "hunter2" };
    handler(State("db"), Extension("ada".to_owned()), &context, 7, "a.txt").await
}

fn main() {
    assert_eq!(steps(2).of(|| run(call())), "db ada hunter2 7 a.txt");
    captures(json!({ "path": "a.txt" }), || run(call()));
    assert_eq!(steps(1).of(|| strict(State(1), Extension(2), 3)), 6);
    captures(json!({ "id": 3 }), || strict(State(1), Extension(2), 3));
    assert_eq!(steps(1).of(|| mutable(&mut State(1))), 2);
    captures(Value::Null, || mutable(&mut State(1)));
}
