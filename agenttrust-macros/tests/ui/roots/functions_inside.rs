//! Guarded functions inside functions, modules, and an `impl` in a function; each has its own check.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

mod outer {
    pub(super) mod inner {
        use ::counting::step;

        #[agenttrust::guarded]
        pub(in crate::outer) async fn tool(number: u8) -> agenttrust::Result<u8> {
            step();
            Ok(number)
        }
    }

    pub(super) async fn call(number: u8) -> agenttrust::Result<u8> {
        inner::tool(number).await
    }
}

fn plain(number: u8) -> Result<u8, AgentTrustError> {
    struct Local(u8);

    impl Local {
        #[guarded]
        fn method(&self) -> Result<u8, AgentTrustError> {
            step();
            Ok(self.0)
        }
    }

    #[guarded]
    fn function(number: u8) -> Result<u8, AgentTrustError> {
        step();
        Ok(number)
    }

    Ok(Local(number).method()? + function(number)?)
}

#[guarded]
async fn both(number: u8) -> Result<u8, AgentTrustError> {
    use std::ops::Add;

    #[guarded]
    fn inside(number: u8) -> Result<u8, AgentTrustError> {
        step();
        Ok(number.add(ONE))
    }

    const ONE: u8 = 1;
    step();
    inside(number)
}

fn main() {
    assert_eq!(steps(1).of(|| run(outer::call(1))), 1);
    assert_eq!(steps(2).in_calls(2).of(|| plain(1)), 2);
    assert_eq!(steps(2).in_calls(2).of(|| run(both(1))), 2);
}
