//! `&mut` arguments, changed by the body and returned by it.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn first<'a>(names: &'a mut Vec<u8>, _other: &str) -> Result<&'a mut u8, AgentTrustError> {
    step();
    if names.is_empty() {
        step();
        names.push(0);
        return Ok(&mut names[0]);
    }
    step();
    names[0] += 1;
    Ok(&mut names[0])
}

#[guarded]
async fn push(names: &mut Vec<u8>, number: u8) -> Result<&mut u8, AgentTrustError> {
    step();
    names.push(number);
    step();
    tokio::task::yield_now().await;
    let last = names.len() - 1;
    Ok(&mut names[last])
}

#[guarded]
async fn swap(left: &mut u8, right: &mut u8) -> Result<(), AgentTrustError> {
    step();
    std::mem::swap(left, right);
    Ok(())
}

pub(super) fn main() {
    let mut names = vec![];
    let mut changed = |call: fn(&mut Vec<u8>) -> Result<&mut u8, AgentTrustError>| {
        steps(2).of(|| call(&mut names).map(|number| std::mem::replace(number, 9)))
    };
    assert_eq!(changed(|names| first(names, "")), 0);
    assert_eq!(changed(|names| first(names, "")), 10);
    assert_eq!(changed(|names| run(push(names, 5))), 5);
    assert_eq!(names, [9, 9]);

    let (mut left, mut right) = (1, 2);
    steps(1).of(|| run(swap(&mut left, &mut right)));
    assert_eq!((left, right), (2, 1));
}
