//! Arguments that the body names in a format string, in a macro, by shorthand, or under a new name of
//! the same spelling; `mut` ones that only a closure or a macro changes.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Named {
    name: String,
}

#[guarded]
async fn formatted(name: String, width: usize) -> Result<String, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    Ok(format!("{name:>width$}"))
}

#[guarded]
async fn by_shorthand(name: String) -> Result<Named, AgentTrustError> {
    step();
    Ok(Named { name })
}

#[guarded]
async fn shadowed(name: &str, mut number: u8) -> Result<String, AgentTrustError> {
    step();
    let name = name.to_uppercase();
    {
        let number = &mut number;
        step();
        *number += 1;
    }
    Ok(format!("{name} {number}"))
}

#[guarded]
async fn in_a_macro(mut number: u8, mut list: Vec<u8>) -> Result<Vec<u8>, AgentTrustError> {
    macro_rules! count {
        () => {
            number += 1
        };
        ($list:ident) => {{
            step();
            $list.push(number)
        }};
    }
    count!();
    count!(list);
    let mut more = || list.push(9);
    more();
    Ok(list)
}

#[guarded]
async fn only_in_a_macro(number: u8) -> Result<u8, AgentTrustError> {
    macro_rules! twice {
        () => {
            number * 2
        };
    }
    step();
    Ok(twice!())
}

#[guarded]
async fn moved_in_parts(
    (left, right): (String, String),
    last: Named,
) -> Result<usize, AgentTrustError> {
    step();
    drop(left);
    tokio::task::yield_now().await;
    let moved = async move {
        step();
        last.name.len()
    };
    Ok(moved.await + right.len())
}

#[guarded]
async fn unnamed(_name: String, _: u8) -> Result<(), AgentTrustError> {
    step();
    Ok(())
}

pub(super) fn main() {
    let name = || "ada".to_owned();
    assert_eq!(steps(1).of(|| run(formatted(name(), 5))), "  ada");
    assert_eq!(steps(1).of(|| run(by_shorthand(name())).map(|named| named.name)), "ada");
    assert_eq!(steps(2).of(|| run(shadowed("ada", 1))), "ADA 2");
    assert_eq!(steps(1).of(|| run(in_a_macro(1, vec![]))), [2, 9]);
    assert_eq!(steps(1).of(|| run(only_in_a_macro(1))), 2);
    assert_eq!(steps(2).of(|| run(moved_in_parts((name(), name()), Named { name: name() }))), 6);
    steps(1).of(|| run(unnamed(name(), 1)));
}
