//! Async closures, as arguments and in the body.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
async fn argument(mut each: impl AsyncFnMut(u8) -> u8) -> Result<u8, AgentTrustError> {
    step();
    let first = each(1).await;
    step();
    Ok(first + each(2).await)
}

#[guarded]
async fn in_the_body(numbers: &[u8]) -> Result<u8, AgentTrustError> {
    let mut sum = 0;
    let mut add = async |number: &u8| {
        step();
        tokio::task::yield_now().await;
        sum += number;
        if *number == 0 {
            return Err(sum);
        }
        Ok(sum)
    };
    for number in numbers {
        if let Err(sum) = add(number).await {
            return Ok(sum);
        }
    }
    step();
    Ok(sum)
}

pub(super) fn main() {
    let mut seen = vec![];
    let output = steps(2).of(|| {
        seen.clear();
        run(argument(async |number| {
            seen.push(number);
            number * 10
        }))
    });
    assert_eq!((output, seen), (30, vec![1, 2]));
    assert_eq!(steps(3).of(|| run(in_the_body(&[1, 2]))), 3);
    assert_eq!(steps(2).of(|| run(in_the_body(&[1, 0, 2]))), 1);
}
