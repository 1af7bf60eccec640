//! Names of the standard library and of the language, taken by somebody else.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, non_snake_case)]

mod std {}
mod core {}

struct Option;
struct Result;
struct Box;
struct Vec;
struct String;
struct Action;
struct InputCapture;
trait Serialize {}
trait Clone {}
trait Future {}
trait Sized {}
trait FnOnce {}
fn Ok() {}
fn Err() {}
fn Some() {}
fn None() {}
fn drop() {}

#[allow(unused_macros)]
macro_rules! assert {
    ($($tokens:tt)*) => {
        compile_error!("the macro of somebody else")
    };
}

use counting::{run, step, steps};

type Output<T> = ::core::result::Result<T, ::agenttrust::AgentTrustError>;

const NAME: &str = "named";

#[::agenttrust::guarded(effect = "destructive", tool = NAME, on_elevation = "wait", wait = "1s")]
async fn tool(action: u8, guard: u8, decision: u8, permit: u8, output: u8) -> Output<u8> {
    step();
    let (outcome, error, capture, input) = (1, 2, 3, 4);
    step();
    ::core::result::Result::Ok(
        action + guard + decision + permit + output + outcome + error + capture + input,
    )
}

#[::agenttrust::guarded]
fn sync(input: u8) -> Output<u8> {
    step();
    ::core::result::Result::Ok(input)
}

#[::agenttrust::guarded]
fn boxed(
    future: u8,
) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = Output<u8>>>> {
    step();
    ::std::boxed::Box::pin(async move { ::core::result::Result::Ok(future) })
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(tool(1, 2, 3, 4, 5))), 25);
    assert_eq!(steps(1).of(|| sync(1)), 1);
    assert_eq!(steps(1).of(|| run(boxed(1))), 1);
}
