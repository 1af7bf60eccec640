//! Const parameters.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded]
fn sum<const N: usize>(numbers: [u32; N]) -> Result<(usize, u32), AgentTrustError> {
    step();
    let sum = numbers.into_iter().sum();
    step();
    Ok((N, sum))
}

struct Grid<const W: usize>;

impl<const W: usize> Grid<W> {
    #[guarded(effect = "destructive", skip(self))]
    async fn cells<const H: usize>(&self) -> Result<usize, AgentTrustError> {
        step();
        Ok(W * H)
    }
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sum([1, 2, 3])), (3, 6));
    assert_eq!(steps(1).of(|| run(Grid::<3>.cells::<2>())), 6);
}
