//! `crate = path`: this crate under another name, and through another crate that re-exports it.

#![deny(warnings)]

extern crate agenttrust as checked;

mod vendored {
    pub(crate) use ::agenttrust as inner;
}

use counting::{run, step, steps};

type Output = Result<u8, checked::AgentTrustError>;

#[checked::guarded(crate = checked)]
fn renamed(number: u8) -> Output {
    step();
    Ok(number)
}

#[vendored::inner::guarded(crate = crate::vendored::inner, effect = "destructive")]
async fn exported(number: u8) -> Output {
    step();
    Ok(number)
}

mod tools {
    use super::*;

    #[checked::guarded(crate = super::vendored::inner, on_denied = Err)]
    pub(crate) async fn relative(number: u8) -> Output {
        step();
        Ok(number)
    }
}

fn main() {
    assert_eq!(steps(1).of(|| renamed(1)), 1);
    assert_eq!(steps(1).of(|| run(exported(1))), 1);
    assert_eq!(steps(1).of(|| run(tools::relative(1))), 1);
}
