//! A borrow that comes in through an argument goes out again, its lifetime elided.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Names(Vec<String>);

impl Names {
    #[guarded]
    fn first(&self) -> Result<&str, AgentTrustError> {
        step();
        Ok(&self.0[0])
    }

    #[guarded]
    async fn nth(&self, n: usize) -> Result<&str, AgentTrustError> {
        step();
        tokio::task::yield_now().await;
        step();
        Ok(&self.0[n])
    }
}

#[guarded]
fn rest(text: &str) -> Result<&str, AgentTrustError> {
    step();
    if text.is_empty() {
        step();
        return Ok(text);
    }
    Ok(&text[1..])
}

#[guarded]
async fn all(names: &[String]) -> Result<impl Iterator<Item = &str>, AgentTrustError> {
    step();
    Ok(names.iter().map(String::as_str))
}

pub(super) fn main() {
    let names = Names(vec!["ada".to_owned(), "grace".to_owned()]);
    assert_eq!(steps(1).of(|| names.first()), "ada");
    assert_eq!(steps(2).of(|| run(names.nth(1))), "grace");
    assert_eq!(steps(1).of(|| rest("ada")), "da");
    assert_eq!(steps(2).of(|| rest("")), "");
    assert_eq!(steps(1).of(|| run(all(&names.0)).map(Vec::from_iter)), ["ada", "grace"]);
}
