//! Modules of the user that are called like this crate and its macros.

#![deny(warnings)]

mod agenttrust {
    pub(crate) mod __private {}

    pub(crate) fn authorize() -> u8 {
        ::counting::step();
        7
    }
}

mod agenttrust_macros {
    pub(crate) use ::agenttrust::guarded;
}

use counting::{run, step, steps};

#[::agenttrust::guarded]
fn sync() -> Result<u8, ::agenttrust::AgentTrustError> {
    step();
    Ok(agenttrust::authorize())
}

#[agenttrust_macros::guarded(effect = "destructive")]
async fn spun(number: u8) -> Result<u8, ::agenttrust::AgentTrustError> {
    step();
    Ok(agenttrust::authorize() + number)
}

fn main() {
    assert_eq!(steps(2).of(sync), 7);
    assert_eq!(steps(2).of(|| run(spun(1))), 8);
}
