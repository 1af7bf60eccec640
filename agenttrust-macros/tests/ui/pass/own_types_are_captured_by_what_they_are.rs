//! A type that is called like a handle of a framework, and is none, is captured where it is `Serialize`, and left
//! out where it is not.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct State<T>(T);

#[derive(Serialize)]
struct Extension<T>(T);

#[derive(Clone, Serialize)]
struct PurgeContext {
    path: &'static str,
}

#[derive(Serialize)]
struct RequestContext<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct RequestId(u64);

mod elsewhere {
    #[derive(serde::Serialize)]
    pub(crate) struct Parts {
        pub(crate) method: &'static str,
    }

    mod inner {
        #[derive(serde::Serialize)]
        pub(crate) struct Context(pub(crate) u8);
    }

    pub(crate) use inner::Context;

    pub(crate) type CallContext = u8;
}

use elsewhere::{Context, Parts as P};

/// Not `Serialize`: a handle, whatever it is called.
struct Path<'a>(&'a str);

#[guarded(effect = "destructive")]
async fn purge(context: PurgeContext) -> Result<usize, AgentTrustError> {
    step();
    Ok(context.path.len())
}

#[guarded(effect = "mutating")]
async fn weaker(
    context: &PurgeContext,
    request: RequestContext<'_>,
    parts: P,
    call: elsewhere::CallContext,
    handle: Path<'_>,
) -> Result<String, AgentTrustError> {
    step();
    let (path, id, method) = (context.path, request.id, parts.method);
    Ok(format!("{path} {id} {method} {call} {}", handle.0))
}

#[guarded(effect = "admin")]
fn strict(
    State(db): State<&str>,
    user: &Extension<String>,
    RequestId(id): RequestId,
    context: &mut Context,
) -> Result<String, AgentTrustError> {
    step();
    Ok(format!("{db} {} {id} {}", user.0, context.0))
}

#[guarded]
fn generic<Context: Serialize>(
    context: Context,
    State(state): State<Context>,
) -> Result<(), AgentTrustError> {
    step();
    let _ = (context, state);
    Ok(())
}

#[guarded(input(context))]
fn named(context: PurgeContext, id: RequestId) -> Result<u64, AgentTrustError> {
    step();
    let _ = context;
    Ok(id.0)
}

const PURGED: PurgeContext = PurgeContext { path: "a.txt" };

async fn change() -> Result<String, AgentTrustError> {
    let (request, parts) = (RequestContext { id: "r" }, P { method: "PUT" });
    weaker(&PURGED, request, parts, 7, Path("p")).await
}

fn grant() -> Result<String, AgentTrustError> {
    strict(State("db"), &Extension("ada".to_owned()), RequestId(1), &mut Context(2))
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(purge(PURGED))), 5);
    captures(json!({ "context": { "path": "a.txt" } }), || run(purge(PURGED)));
    assert_eq!(steps(1).of(|| run(change())), "a.txt r PUT 7 p");
    let bound = json!({
        "context": { "path": "a.txt" }, "request": { "id": "r" }, "parts": { "method": "PUT" }, "call": 7
    });
    captures(bound, || run(change()));
    assert_eq!(steps(1).of(grant), "db ada 1 2");
    captures(json!({ "db": "db", "user": "ada", "id": 1, "context": 2 }), grant);
    steps(1).of(|| generic("a", State("b")));
    let bound = json!({ "context": "a", "state": "b", "<Context>": "&str" });
    captures(bound, || generic("a", State("b")));
    assert_eq!(steps(1).of(|| named(PURGED, RequestId(3))), 3);
    captures(json!({ "context": { "path": "a.txt" } }), || named(PURGED, RequestId(3)));
}
