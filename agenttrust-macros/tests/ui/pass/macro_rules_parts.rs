//! A function that a `macro_rules!` put together from parts, the keys of `#[guarded]` among them.

#![deny(warnings)]

use std::pin::Pin;

use agenttrust::{AgentTrustError, guarded};
use counting::{Check, allowed, run, step, steps};

macro_rules! tool {
    ($visibility:vis $name:ident, $argument:ident: $ty:ty, $output:ty, $body:block) => {
        #[guarded(effect = "destructive")]
        $visibility fn $name($argument: $ty) -> $output $body
    };
}

tool!(sync, path: String, Result<usize, AgentTrustError>, {
    step();
    Ok(path.len())
});
tool!(pub(crate) boxed, path: String, Pin<Box<dyn Future<Output = Result<usize, AgentTrustError>>>>, {
    step();
    Box::pin(async move { Ok(path.len()) })
});

macro_rules! keyed {
    ($name:ident, $effect:literal, $tool:expr, $denied:expr, $pattern:pat => $ty:ty, $value:expr) => {
        #[guarded(effect = $effect, tool = $tool, on_denied = $denied)]
        async fn $name($pattern: $ty) -> Result<u8, AgentTrustError> {
            step();
            Ok($value)
        }
    };
}

keyed!(spun, "read", concat!("sp", "un"), |error| Err(error), (first, _) => (u8, u8), first);

macro_rules! of_output {
    ($output:ty, $future:ty, $value:expr) => {
        #[guarded]
        fn output() -> $output {
            step();
            $value
        }

        #[guarded]
        fn future() -> $future {
            step();
            Box::pin(async { $value })
        }
    };
}

of_output!(
    Result<u8, AgentTrustError>,
    Pin<Box<dyn Future<Output = Result<u8, AgentTrustError>> + Send>>,
    Ok(7)
);

macro_rules! method {
    ($self:ident, $lifetime:lifetime, $body:expr) => {
        impl Holder {
            #[guarded]
            fn get<$lifetime>(&$lifetime $self, _: &str) -> Result<&$lifetime str, AgentTrustError> {
                step();
                Ok($body)
            }
        }
    };
}

struct Holder(String);

method!(self, 'a, &self.0);

pub(super) fn main() {
    assert_eq!(steps(1).of(|| sync("a.txt".to_owned())), 5);
    assert_eq!(steps(1).of(|| run(boxed("a.txt".to_owned()))), 5);
    assert_eq!(steps(1).of(|| run(spun((7, 8)))), 7);
    assert_eq!(steps(1).of(|| Holder("a".to_owned()).get("").map(str::to_owned)), "a");
    assert_eq!(steps(1).of(output), 7);
    assert_eq!(steps(1).of(|| run(future())), 7);
    let Check { body, .. } = &allowed(|| run(spun((7, 8)))).checks[0];
    assert_eq!((&body["action_name"], &body["action_effect"]), (&"spun".into(), &"read".into()));
}
