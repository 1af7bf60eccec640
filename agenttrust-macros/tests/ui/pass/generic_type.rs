//! Type parameters of functions and of the `impl` around them.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn pair<T: Clone, U>(first: T, second: U) -> Result<(T, T, U), AgentTrustError> {
    step();
    let again = first.clone();
    step();
    Ok((first, again, second))
}

#[guarded]
async fn made<T: Default>() -> Result<T, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(T::default())
}

struct Holder<T>(T);

impl<T: Clone> Holder<T> {
    #[guarded]
    async fn with<U>(&self, other: U) -> Result<(T, U), AgentTrustError> {
        step();
        Ok((self.0.clone(), other))
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| pair("a", 1)), ("a", "a", 1));
    assert_eq!(steps(2).of(|| run(made::<u8>())), 0);
    assert_eq!(steps(1).of(|| run(Holder(1).with("b"))), (1, "b"));
}
