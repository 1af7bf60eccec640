//! Twenty arguments, each of them captured and handed on.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

macro_rules! twenty {
    ($($name:ident = $value:literal),*) => {
        #[guarded(effect = "destructive")]
        fn sync($($name: u32),*) -> Result<u32, AgentTrustError> {
            step();
            Ok(0 $(+ $name)*)
        }

        #[guarded]
        async fn spun($(mut $name: Vec<u32>),*) -> Result<usize, AgentTrustError> {
            $(
                step();
                $name.push(0);
            )*
            Ok(0 $(+ $name.len())*)
        }

        pub(super) fn main() {
            assert_eq!(steps(1).of(|| sync($($value),*)), 210);
            captures(json!({ $(stringify!($name): $value),* }), || sync($($value),*));
            assert_eq!(steps(20).of(|| run(spun($(vec![$value]),*))), 40);
            captures(json!({ $(stringify!($name): [$value]),* }), || run(spun($(vec![$value]),*)));
        }
    };
}

twenty!(
    a = 1,
    b = 2,
    c = 3,
    d = 4,
    e = 5,
    f = 6,
    g = 7,
    h = 8,
    i = 9,
    j = 10,
    k = 11,
    l = 12,
    m = 13,
    n = 14,
    o = 15,
    p = 16,
    q = 17,
    r = 18,
    s = 19,
    t = 20
);
