//! `use<..>` in `-> impl Trait` says which lifetimes and types are kept.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn nothing(text: &str, count: u8) -> Result<impl Iterator<Item = u8> + use<>, AgentTrustError> {
    step();
    let start = text.len() as u8;
    step();
    Ok(start..start + count)
}

#[guarded]
fn one<'a, 'b>(
    left: &'a str,
    right: &'b str,
) -> Result<impl AsRef<str> + use<'a>, AgentTrustError> {
    step();
    if right.is_empty() {
        step();
        return Ok(left);
    }
    Ok(&left[1..])
}

#[guarded]
fn future<'a, T: Clone>(
    value: &'a T,
) -> impl Future<Output = Result<T, AgentTrustError>> + use<'a, T> {
    step();
    async move {
        step();
        Ok(value.clone())
    }
}

#[guarded]
fn owned(text: String) -> impl Future<Output = Result<usize, AgentTrustError>> + use<> {
    step();
    async move { Ok(text.len()) }
}

fn outlives() -> Result<Vec<u8>, AgentTrustError> {
    let numbers = {
        let text = "ab".to_owned();
        nothing(&text, 2)?
    };
    Ok(numbers.collect())
}

pub(super) fn main() {
    assert_eq!(steps(2).of(outlives), [2, 3]);
    assert_eq!(steps(1).of(|| one("abc", "b").map(|text| text.as_ref().to_owned())), "bc");
    assert_eq!(steps(2).of(|| one("abc", "").map(|text| text.as_ref().to_owned())), "abc");
    assert_eq!(steps(2).of(|| run(future(&7))), 7);
    assert_eq!(steps(1).of(|| run(owned("abc".to_owned()))), 3);
}
