//! `tool` as a string, a constant and `concat!`; without it, the name of the function.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};

const PREFIXED: &str = concat!("db_", "delete");

mod names {
    pub(crate) const NAMES: [&str; 2] = ["first", "second"];

    pub(crate) struct Tools;

    impl Tools {
        pub(crate) const LIST: &'static str = "tools_list";
    }
}

#[guarded(tool = "db insert: ä")]
fn literal() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(tool = PREFIXED)]
async fn constant() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(tool = names::Tools::LIST)]
fn associated() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

#[guarded(tool = concat!(module_path!(), "::", "joined"))]
async fn joined<T: Default>() -> Result<T, AgentTrustError> {
    step();
    Ok(T::default())
}

#[guarded(tool = names::NAMES[1])]
fn computed() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

const fn named() -> &'static str {
    "by_a_const_fn"
}

#[guarded(tool = const { named() })]
fn called() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

/// A module and an argument of one name, and a template that speaks of an argument.
#[guarded(tool = names::NAMES[0])]
fn beside(names: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(names)
}

#[guarded(tool = concat!("http/GET/files/", "{path}"))]
fn templated(path: u8) -> Result<u8, AgentTrustError> {
    step();
    Ok(path)
}

#[guarded]
fn its_own() -> Result<u8, AgentTrustError> {
    step();
    Ok(1)
}

pub(super) fn main() {
    is_named("db insert: ä", literal);
    is_named("db_delete", || run(constant()));
    is_named("tools_list", associated);
    is_named(concat!(module_path!(), "::joined"), || run(joined()));
    is_named("second", computed);
    is_named("by_a_const_fn", called);
    is_named("first", || beside(1));
    is_named("http/GET/files/{path}", || templated(1));
    is_named("its_own", its_own);
}

fn is_named(name: &str, call: fn() -> Result<u8, AgentTrustError>) {
    steps(1).of(call);
    assert_eq!(allowed(call).checks[0].body["action_name"], name);
}
