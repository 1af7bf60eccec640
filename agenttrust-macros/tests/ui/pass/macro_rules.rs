//! Functions that a `macro_rules!` wrote.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};

macro_rules! tool {
    ($name:ident, $argument:ident: $ty:ty, $output:ty, $body:block) => {
        #[guarded(effect = "destructive")]
        fn $name($argument: $ty) -> $output $body
    };
}

tool!(sync, path: String, Result<usize, AgentTrustError>, { Ok(path.len()) });
tool!(boxed, path: String, Pin<Box<dyn Future<Output = Result<usize, AgentTrustError>>>>, {
    Box::pin(async move { Ok(path.len()) })
});

fn main() {
    sync("a.txt".to_owned()).unwrap_err();
    drop(boxed("a.txt".to_owned()));
}
