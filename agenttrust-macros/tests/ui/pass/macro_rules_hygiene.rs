//! Two arguments of one name, which hygiene keeps apart: the body gets each, and where both are the
//! input, one would hide the other, so that the call is refused.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, run, step, steps};

macro_rules! of_one_name {
    ($target:ident) => {
        #[guarded(effect = "read", skip_all)]
        async fn body_sees_both(
            path: &str,
            mut $target: String,
        ) -> Result<String, AgentTrustError> {
            step();
            $target.push_str(path);
            Ok($target)
        }

        #[guarded(effect = "destructive")]
        fn captured(path: &str, $target: &str) -> Result<String, AgentTrustError> {
            step();
            Ok(format!("{path} {}", $target))
        }

        #[guarded(effect = "destructive")]
        fn in_a_pattern((path, $target): (&str, &str)) -> Result<String, AgentTrustError> {
            step();
            Ok(format!("{path} {}", $target))
        }
    };
}

of_one_name!(path);

macro_rules! of_its_own {
    ($value:expr) => {
        #[guarded]
        fn local(output: u8, input: u8) -> Result<u8, AgentTrustError> {
            step();
            let output = output + $value;
            Ok(output + input)
        }
    };
}

of_its_own!({
    let output = 10;
    step();
    output
});

pub(super) fn main() {
    assert_eq!(steps(1).of(|| run(body_sees_both("b", "a".to_owned()))), "ab");
    assert_eq!(steps(2).of(|| local(1, 2)), 13);
    never(|| captured("/tmp/safe", "/etc/passwd"));
    never(|| in_a_pattern(("/tmp/safe", "/etc/passwd")));
}

fn never(call: impl FnOnce() -> Result<String, AgentTrustError>) {
    let run = allowed(call);
    assert_eq!(run.output.unwrap_err().code(), "VALIDATION_ERROR");
    assert_eq!(run.steps, 0);
}
