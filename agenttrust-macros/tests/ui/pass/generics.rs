//! Type and const parameters, `where`, `impl Trait` argument and return.

#![deny(warnings)]

use std::fmt::Display;

use agenttrust::{AgentTrustError, guarded};

struct Holder<T>(T);

impl<T: Clone + Send> Holder<T> {
    #[guarded]
    async fn get<U>(&self, other: U) -> Result<(T, U), AgentTrustError>
    where
        U: Send,
    {
        Ok((self.0.clone(), other))
    }
}

#[guarded]
fn sum<const N: usize>(numbers: [u32; N]) -> Result<u32, AgentTrustError> {
    Ok(numbers.into_iter().sum())
}

#[guarded]
async fn shown(value: impl Display) -> Result<impl Display, AgentTrustError> {
    if value.to_string().is_empty() {
        return Ok(String::new());
    }
    Ok(value.to_string())
}

#[guarded(on_denied = |_| Vec::new().into_iter())]
fn iterated(count: u8) -> impl Iterator<Item = u8> {
    vec![count].into_iter()
}

#[guarded(effect = "destructive")]
fn bounded<T: serde::Serialize>(value: T) -> Result<T, AgentTrustError> {
    Ok(value)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Holder(1).get("other").await.unwrap_err();
    sum([1, 2]).unwrap_err();
    assert!(shown(1).await.is_err());
    assert_eq!(iterated(1).next(), None);
    bounded(1).unwrap_err();
}
