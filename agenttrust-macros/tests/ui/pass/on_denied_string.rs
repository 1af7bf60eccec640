//! `on_denied` builds a `String` from the error and the arguments.

#![deny(warnings)]

use agenttrust::guarded;
use counting::{run, step, steps};

#[guarded(on_denied = |error| error.code().to_owned())]
fn greet(name: &str) -> String {
    step();
    let greeting = format!("hello {name}");
    step();
    greeting
}

#[guarded(on_denied = |error| format!("{name}: {}", error.code()))]
async fn greet_async(mut name: String) -> String {
    step();
    name.insert_str(0, "hello ");
    step();
    name
}

pub(super) fn main() {
    let read = |output: String| if output.starts_with("hello") { Ok(output) } else { Err(output) };
    assert_eq!(steps(2).of(|| read(greet("ada"))), "hello ada");
    let read = |output: String| match output.strip_prefix("ada: ") {
        Some(code) => Err(code.to_owned()),
        None => Ok(output),
    };
    assert_eq!(
        steps(2).of(|| run(async { read(greet_async("ada".to_owned()).await) })),
        "hello ada"
    );
}
