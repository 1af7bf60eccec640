//! Named lifetimes: bounds between them, of types, and higher-ranked ones.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn longest<'a, 'b: 'a>(left: &'a str, right: &'b str) -> Result<&'a str, AgentTrustError> {
    step();
    if left.len() > right.len() {
        step();
        return Ok(left);
    }
    step();
    Ok(right)
}

struct Parser<'text> {
    text: &'text str,
}

impl<'text> Parser<'text> {
    #[guarded]
    async fn split<'s>(&mut self, at: &'s str) -> Result<(&'text str, &'s str), AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        let (head, tail) = self.text.split_once(at).unwrap_or_default();
        self.text = tail;
        Ok((head, at))
    }
}

#[guarded]
async fn applied<'a, T: ?Sized + 'a>(
    value: &'a T,
    apply: impl for<'b> FnOnce(&'b T) -> &'b str + 'static,
) -> Result<&'a str, AgentTrustError> {
    step();
    Ok(apply(value))
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| longest("a", "bc")), "bc");
    assert_eq!(steps(2).of(|| longest("abc", "bc")), "abc");
    assert_eq!(steps(2).of(|| run(Parser { text: "a=b" }.split("="))), ("a", "="));
    assert_eq!(steps(1).of(|| run(applied("abc", |text| &text[1..]))), "bc");
}
