//! `if let .. && ..` in the body.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sync(text: &str) -> Result<u8, AgentTrustError> {
    step();
    if let Some((name, number)) = text.split_once('=')
        && name == "n"
        && let Ok(number) = number.parse::<u8>()
    {
        step();
        return Ok(number);
    }
    step();
    Ok(0)
}

#[guarded]
async fn spun(mut numbers: Vec<u8>) -> Result<u8, AgentTrustError> {
    let mut sum = 0;
    while let Some(number) = numbers.pop()
        && number > 0
    {
        step();
        tokio::task::yield_now().await;
        sum += number;
    }
    Ok(sum)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sync("n=7")), 7);
    assert_eq!(steps(2).of(|| sync("n=x")), 0);
    assert_eq!(steps(2).of(|| run(spun(vec![9, 0, 1, 2]))), 3);
}
