//! `?` converts errors as in the bare function, and what it returns early is reported as a failure.

#![deny(warnings)]

use std::num::ParseIntError;
use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{Refusal, allowed, run, step, steps};

#[derive(Debug)]
enum ToolError {
    Number,
    Refused(AgentTrustError),
}

impl From<ParseIntError> for ToolError {
    fn from(_: ParseIntError) -> Self {
        Self::Number
    }
}

impl From<AgentTrustError> for ToolError {
    fn from(error: AgentTrustError) -> Self {
        Self::Refused(error)
    }
}

impl Refusal for ToolError {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Number => Some("its own"),
            Self::Refused(error) => Some(error.code()),
        }
    }
}

#[guarded]
fn sync(text: &str) -> Result<u8, ToolError> {
    step();
    let number: u8 = text.parse()?;
    step();
    Ok(number)
}

#[guarded]
async fn spun(text: String) -> Result<u8, ToolError> {
    step();
    let number = async { text.parse::<u8>() }.await?;
    step();
    Ok(sync(&text)? + number)
}

#[guarded]
fn boxed(text: &str) -> Pin<Box<dyn Future<Output = Result<u8, ToolError>> + '_>> {
    step();
    Box::pin(async move {
        step();
        Ok(text.parse()?)
    })
}

#[guarded]
fn dynamic(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    step();
    let number = text.parse()?;
    step();
    Ok(number)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| sync("7")), 7);
    assert_eq!(steps(4).in_calls(2).of(|| run(spun("7".to_owned()))), 14);
    assert_eq!(steps(2).of(|| run(boxed("7"))), 7);
    let cause = |error: Box<dyn std::error::Error + Send + Sync>| {
        ToolError::Refused(*error.downcast().unwrap())
    };
    assert_eq!(steps(2).of(|| dynamic("7").map_err(cause)), 7);

    fails(1, || sync("x"));
    fails(1, || run(spun("x".to_owned())));
    fails(2, || run(boxed("x")));
}

fn fails(steps: u32, call: impl FnOnce() -> Result<u8, ToolError>) {
    let run = allowed(call);
    assert!(matches!(run.output, Err(ToolError::Number)));
    assert_eq!((run.steps, run.outcomes), (steps, vec!["ToolError".to_owned()]));
}
