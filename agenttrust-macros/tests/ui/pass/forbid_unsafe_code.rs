//! A crate that forbids unsafe code, and every lint group that is on in such crates.

#![deny(warnings)]
#![forbid(unsafe_code)]
#![deny(
    future_incompatible,
    let_underscore,
    nonstandard_style,
    rust_2018_idioms,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    variant_size_differences
)]

#[path = "../counting.rs"]
mod counting;

use agenttrust::{AgentTrustError, guarded};
use counting::{run, step, steps};

#[guarded(effect = "destructive", on_elevation = "wait", wait = "1s")]
async fn tool(mut path: String, (a, _b): (u8, u8)) -> Result<usize, AgentTrustError> {
    step();
    path.push('!');
    step();
    Ok(path.len() + usize::from(a))
}

#[guarded]
fn sync(path: &str) -> Result<&str, AgentTrustError> {
    step();
    Ok(path)
}

fn main() {
    assert_eq!(steps(2).of(|| run(tool("a".to_owned(), (1, 2)))), 3);
    assert_eq!(steps(1).of(|| sync("a")), "a");
}
