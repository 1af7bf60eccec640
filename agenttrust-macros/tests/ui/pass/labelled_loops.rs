//! Loops and blocks with labels, `break` with a value, and `continue` to an outer loop.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sync(limit: u32) -> Result<u32, AgentTrustError> {
    step();
    let mut turns = 0;
    let found = 'outer: loop {
        loop {
            step();
            turns += 1;
            if turns == limit {
                break 'outer turns * 10;
            }
            if turns % 2 == 0 {
                continue 'outer;
            }
        }
    };
    step();
    Ok(found)
}

#[guarded]
async fn spun(numbers: &[u32]) -> Result<u32, AgentTrustError> {
    let sum = 'sum: {
        let mut sum = 0;
        'numbers: for number in numbers {
            step();
            while sum < 100 {
                tokio::task::yield_now().await;
                sum += number;
                if *number == 0 {
                    break 'sum 0;
                }
                continue 'numbers;
            }
            return Ok(sum);
        }
        sum
    };
    Ok(sum)
}

pub(super) fn main() {
    assert_eq!(steps(2 + 3).of(|| sync(3)), 30);
    assert_eq!(steps(2).of(|| run(spun(&[1, 2]))), 3);
    assert_eq!(steps(2).of(|| run(spun(&[1, 0, 2]))), 0);
    assert_eq!(steps(2).of(|| run(spun(&[100, 1, 2]))), 100);
}
