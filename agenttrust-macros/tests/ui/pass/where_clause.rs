//! `where` clauses, of functions and of the `impl` around them.

#![deny(warnings)]

use std::fmt::Display;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn shown<T, F>(value: T, show: F) -> Result<String, AgentTrustError>
where
    T: Display,
    F: for<'a> FnOnce(&'a T) -> String,
{
    step();
    let text = show(&value);
    step();
    Ok(format!("{value} {text}"))
}

struct Holder<T>(T);

impl<T> Holder<T>
where
    T: Display,
{
    #[guarded]
    async fn longer<U>(self, other: U) -> Result<bool, AgentTrustError>
    where
        U: AsRef<str>,
        Self: Sized,
    {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(self.0.to_string().len() > other.as_ref().len())
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| shown(1, |value| format!("<{value}>"))), "1 <1>");
    assert!(steps(2).of(|| run(Holder(10).longer("a"))));
}
