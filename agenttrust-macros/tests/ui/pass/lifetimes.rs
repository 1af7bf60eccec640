//! Borrows that come in through arguments may go out through the return value.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

#[guarded]
fn first<'a>(names: &'a mut Vec<String>, _other: &str) -> Result<&'a mut String, AgentTrustError> {
    if names.is_empty() {
        names.push(String::new());
    }
    Ok(&mut names[0])
}

#[guarded]
async fn longest<'a, 'b: 'a>(left: &'a str, right: &'b str) -> Result<&'a str, AgentTrustError> {
    Ok(if left.len() > right.len() { left } else { right })
}

#[guarded]
async fn elided(names: &[String]) -> Result<impl Iterator<Item = &str>, AgentTrustError> {
    Ok(names.iter().map(String::as_str))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    first(&mut vec![], "").unwrap_err();
    longest("a", "b").await.unwrap_err();
    assert!(elided(&[]).await.is_err());
}
