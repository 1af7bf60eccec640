//! A function that a `macro_rules!` was given whole, and handed on.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

macro_rules! tool {
    ($item:item) => {
        #[guarded(effect = "destructive")]
        $item
    };
}

tool! {
    /// Handed on.
    fn sync(path: &str) -> Result<usize, AgentTrustError> {
        step();
        if path.is_empty() {
            step();
            return Ok(0);
        }
        Ok(path.len())
    }
}

tool! {
    async fn spun(mut path: String) -> Result<usize, AgentTrustError> {
        step();
        path.push('!');
        step();
        Ok(path.len())
    }
}

macro_rules! tools {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:tt)*) -> $output:ty $body:block)*) => {
        $(#[guarded] $(#[$attribute])* fn $name($($argument)*) -> $output $body)*
    };
}

tools! {
    fn first(n: u8) -> Result<u8, AgentTrustError> { step(); Ok(n) }
    #[inline]
    fn second(mut n: u8, _: &str) -> Result<u8, AgentTrustError> { n += 1; step(); Ok(n) }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| sync("a.txt")), 5);
    assert_eq!(steps(2).of(|| sync("")), 0);
    assert_eq!(steps(2).of(|| run(spun("a.txt".to_owned()))), 6);
    assert_eq!(steps(1).of(|| first(1)), 1);
    assert_eq!(steps(1).of(|| second(1, "")), 2);
}
