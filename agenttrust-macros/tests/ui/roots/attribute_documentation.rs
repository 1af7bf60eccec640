//! Doc comments, `#[inline]`, `#[cold]`, `#[doc(hidden)]` and a visibility, on both sides of `#[guarded]`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

mod tools {
    #![deny(missing_docs)]

    use super::*;

    /// Documented above.
    #[guarded]
    #[inline]
    pub(crate) fn above(number: u8) -> Result<u8, AgentTrustError> {
        //! Documented inside.
        step();
        Ok(number)
    }

    #[guarded]
    #[cold]
    #[doc(hidden)]
    /// Documented below.
    pub(super) async fn below(number: u8) -> Result<u8, AgentTrustError> {
        step();
        Ok(number)
    }

    #[cfg_attr(not(any()), guarded, inline(always))]
    pub(in crate::tools) fn when_configured(number: u8) -> Result<u8, AgentTrustError> {
        step();
        Ok(number)
    }

    pub(crate) fn inside(number: u8) -> Result<u8, AgentTrustError> {
        when_configured(number)
    }
}

fn main() {
    assert_eq!(steps(1).of(|| tools::above(1)), 1);
    assert_eq!(steps(1).of(|| run(tools::below(1))), 1);
    assert_eq!(steps(1).of(|| tools::inside(1)), 1);
}
