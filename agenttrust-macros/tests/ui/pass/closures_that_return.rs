//! `return` inside closures and async blocks of the body leaves these, and not the function.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sync(numbers: Vec<u8>) -> Result<Vec<u8>, AgentTrustError> {
    step();
    let doubled = |number: u8| {
        step();
        if number == 0 {
            return 0;
        }
        let twice = || -> u8 {
            return number * 2;
        };
        twice()
    };
    step();
    Ok(numbers.into_iter().map(doubled).collect())
}

#[guarded]
async fn spun(number: u8) -> Result<u8, AgentTrustError> {
    step();
    let inner: Result<u8, String> = async {
        step();
        if number == 0 {
            return Err("zero".to_owned());
        }
        Ok(number)
    }
    .await;
    step();
    Ok(inner.unwrap_or(9))
}

pub(super) fn main() {
    assert_eq!(steps(4).of(|| sync(vec![0, 3])), [0, 6]);
    assert_eq!(steps(3).of(|| run(spun(0))), 9);
    assert_eq!(steps(3).of(|| run(spun(1))), 1);
}
