//! Each effect as it is declared, and none where none is.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, step, steps};
use serde_json::json;

macro_rules! effect {
    ($name:ident $(, $effect:literal)?) => {
        #[guarded($(effect = $effect)?)]
        fn $name(path: &str) -> Result<usize, AgentTrustError> {
            step();
            Ok(path.len())
        }
    };
}

effect!(read, "read");
effect!(mutating, "mutating");
effect!(destructive, "destructive");
effect!(admin, "admin");
effect!(undeclared);

pub(super) fn main() {
    for (name, call) in [
        ("read", read as fn(&str) -> Result<usize, AgentTrustError>),
        ("mutating", mutating),
        ("destructive", destructive),
        ("admin", admin),
    ] {
        assert_eq!(steps(1).of(|| call("a.txt")), 5);
        assert_eq!(allowed(|| call("a.txt")).checks[0].body["action_effect"], name);
    }
    assert_eq!(steps(1).of(|| undeclared("a.txt")), 5);
    let check = &allowed(|| undeclared("a.txt")).checks[0].body;
    assert_eq!(
        (check["action_name"].clone(), check.get("action_effect")),
        (json!("undeclared"), None)
    );
}
