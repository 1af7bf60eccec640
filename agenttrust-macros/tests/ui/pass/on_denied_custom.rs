//! `on_denied` for a type of somebody else, by a closure, a function, or what is in scope.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

struct Reply {
    status: u16,
    text: String,
}

impl Reply {
    fn refused(error: AgentTrustError) -> Self {
        Self { status: 403, text: error.code().to_owned() }
    }

    fn read(self) -> Result<String, String> {
        if self.status == 200 { Ok(self.text) } else { Err(self.text) }
    }
}

#[guarded(on_denied = Reply::refused)]
async fn by_function(text: String) -> Reply {
    step();
    if text.is_empty() {
        step();
        return Reply { status: 200, text: "nothing".to_owned() };
    }
    Reply { status: 200, text }
}

struct Tool {
    refused: u16,
}

impl Tool {
    #[guarded(on_denied = |error: AgentTrustError| {
        let text = error.code().to_owned();
        Reply { status: self.refused, text }
    })]
    fn by_closure(&self, text: &str) -> Reply {
        step();
        Reply { status: 200, text: text.to_owned() }
    }
}

#[guarded(on_denied = |error| Err(Err(error.code().to_owned())))]
fn nested(fails: bool) -> Result<u8, Result<u8, String>> {
    step();
    if fails { Err(Ok(1)) } else { Ok(2) }
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(by_function("a".to_owned())).read()), "a");
    assert_eq!(steps(2).of(|| run(by_function(String::new())).read()), "nothing");
    assert_eq!(steps(1).of(|| Tool { refused: 418 }.by_closure("a").read()), "a");
    assert_eq!(Tool { refused: 418 }.by_closure("a").status, 418);
    assert_eq!(steps(1).of(|| nested(false).map_err(Result::unwrap_err)), 2);
    assert_eq!(counting::allowed(|| nested(true)).output, Err(Ok(1)));
}
