//! What a framework hands in is known by its path, under whatever name, and left out even where it is `Serialize`;
//! who names it in `input(..)` has it.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

/// As axum and rmcp are to a program, with the features of their names.
mod framework {
    use agenttrust::__private::{Extractor, HandedIn};

    #[derive(serde::Serialize)]
    pub(crate) struct State<T>(pub(crate) T);

    impl<T> HandedIn for State<T> {}

    #[derive(Clone, serde::Serialize)]
    pub(crate) struct Id(pub(crate) u64);

    impl HandedIn for Id {}

    /// Not `Serialize` itself.
    pub(crate) struct Path<T>(pub(crate) T);

    impl<T> std::ops::Deref for Path<T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> Extractor for Path<T> {}
}

mod prelude {
    pub(crate) use super::framework::State;

    pub(crate) type Db<'a> = State<&'a str>;
}

use framework::{Id as Call, Path as Segment, State as S};
use prelude::State;

#[guarded]
async fn handler(
    S(db): S<&str>,
    State(user): State<String>,
    db_again: &prelude::Db<'_>,
    call: Call,
    Segment(path): Segment<&str>,
) -> Result<String, AgentTrustError> {
    step();
    Ok(format!("{db} {user} {} {} {path}", db_again.0, call.0))
}

#[guarded(effect = "mutating")]
fn by_plain_names(path: Segment<&str>, state: &mut S<u8>) -> Result<usize, AgentTrustError> {
    step();
    state.0 += 1;
    Ok(path.len())
}

#[guarded(effect = "destructive", skip(state, user))]
fn strict(state: S<u8>, S(user): S<u8>, id: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(state.0 + user + id)
}

#[guarded(effect = "destructive", input(state, user), skip(id))]
fn named(state: S<u8>, S(user): S<u8>, id: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(state.0 + user + id)
}

#[guarded(input(call))]
fn named_alone(call: &Call, path: &str) -> Result<u64, AgentTrustError> {
    step();
    let _ = path;
    Ok(call.0)
}

#[guarded(effect = "read")]
fn generic<T: serde::Serialize>(S(inner): S<T>, id: T) -> Result<(), AgentTrustError> {
    step();
    let _ = (inner, id);
    Ok(())
}

async fn call() -> Result<String, AgentTrustError> {
    handler(S("db"), State("ada".to_owned()), &S("again"), Call(7), Segment("a.txt")).await
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(call())), "db ada again 7 a.txt");
    captures(json!({ "path": "a.txt" }), || run(call()));
    assert_eq!(steps(1).of(|| by_plain_names(Segment("a.txt"), &mut S(1))), 5);
    captures(json!({ "path": "a.txt" }), || by_plain_names(Segment("a.txt"), &mut S(1)));
    assert_eq!(steps(1).of(|| strict(S(1), S(2), 3)), 6);
    captures(json!({ "id": 3 }), || strict(S(1), S(2), 3));
    assert_eq!(steps(1).of(|| named(S(1), S(2), 3)), 6);
    captures(json!({ "state": 1, "user": 2 }), || named(S(1), S(2), 3));
    assert_eq!(steps(1).of(|| named_alone(&Call(7), "a.txt")), 7);
    captures(json!({ "call": 7 }), || named_alone(&Call(7), "a.txt"));
    steps(1).of(|| generic(S("db"), "a"));
    captures(json!({ "id": "a", "<T>": "&str" }), || generic(S("db"), "a"));
    // A generic argument is what its bounds say, and no more.
    captures(json!({ "id": 7, "<T>": std::any::type_name::<Call>() }), || {
        generic(S(Call(1)), Call(7))
    });
}
