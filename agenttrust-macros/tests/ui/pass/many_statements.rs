//! Hundreds of statements, and not one of them without a permission.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

macro_rules! ten {
    ($($statement:tt)*) => {
        $($statement)* $($statement)* $($statement)* $($statement)* $($statement)*
        $($statement)* $($statement)* $($statement)* $($statement)* $($statement)*
    };
}

#[guarded]
fn sync(mut number: u32) -> Result<u32, AgentTrustError> {
    ten! { ten! { ten! { step(); number += 1; } } }
    Ok(number)
}

#[guarded]
async fn spun(mut number: u32) -> Result<u32, AgentTrustError> {
    ten! { ten! { step(); tokio::task::yield_now().await; number += 1; } }
    Ok(number)
}

#[guarded]
fn chained(text: &str) -> Result<String, AgentTrustError> {
    let counted = |letter: char| {
        step();
        letter
    };
    Ok(text
        .chars()
        .map(counted)
        .map(counted)
        .map(counted)
        .filter(|letter| *letter != 'b')
        .rev()
        .map(counted)
        .skip_while(|letter| *letter == 'c')
        .map(|letter| letter.to_uppercase())
        .flatten()
        .chain(Some('!'))
        .collect::<String>()
        .trim()
        .replace('A', "a")
        .to_owned())
}

pub(super) fn main() {
    assert_eq!(steps(1000).of(|| sync(0)), 1000);
    assert_eq!(steps(100).of(|| run(spun(0))), 100);
    assert_eq!(steps(3 * 3 + 2).of(|| chained("abc")), "a!");
}
