//! A `return` that a macro of the body makes leaves the body, and is reported as what it returns.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{Refusal, allowed, run, step, steps};

#[derive(Debug)]
struct Failed(Option<AgentTrustError>);

impl From<AgentTrustError> for Failed {
    fn from(error: AgentTrustError) -> Self {
        Self(Some(error))
    }
}

impl Refusal for Failed {
    fn code(&self) -> Option<&str> {
        self.0.as_ref().map(AgentTrustError::code)
    }
}

macro_rules! fail_if {
    ($condition:expr) => {
        if $condition {
            step();
            return Err(Failed(None));
        }
    };
}

#[guarded]
fn sync(number: u8) -> Result<u8, Failed> {
    step();
    fail_if!(number == 0);
    step();
    Ok(number)
}

#[guarded]
async fn spun(number: u8) -> Result<u8, Failed> {
    step();
    tokio::task::yield_now().await;
    fail_if!(number == 0);
    step();
    Ok(number)
}

#[guarded]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Result<u8, Failed>> + Send>> {
    step();
    Box::pin(async move {
        fail_if!(number == 0);
        step();
        Ok(number)
    })
}

pub(super) fn main() {
    for call in [sync, |number| run(spun(number)), |number| run(boxed(number))] {
        assert_eq!(steps(2).of(|| call(1)), 1);
        let run = allowed(|| call(0));
        assert!(matches!(run.output, Err(Failed(None))));
        assert_eq!((run.steps, run.outcomes), (2, vec!["Failed".to_owned()]));
    }
}
