//! Names of the standard library and of this crate, taken by somebody else.

#![allow(dead_code, non_camel_case_types, non_snake_case)]

mod agenttrust {}
mod std {}
mod core {}

struct Option;
struct Result;
struct Box;
struct String;
struct InputCapture;
trait Serialize {}
fn Ok() {}
fn Err() {}
fn Some() {}
fn None() {}

type Output<T> = ::core::result::Result<T, ::agenttrust::AgentTrustError>;

#[::agenttrust::guarded(effect = "destructive", on_elevation = "wait")]
async fn tool(action: u8, guard: u8, decision: u8, permit: u8, output: u8) -> Output<u8> {
    let (outcome, error, capture, future) = (1, 2, 3, 4);
    let sum = action + guard + decision + permit + output + outcome + error + capture + future;
    ::core::result::Result::Ok(sum)
}

#[::agenttrust::guarded]
fn boxed(
    future: u8,
) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = Output<u8>>>> {
    ::std::boxed::Box::pin(async move { ::core::result::Result::Ok(future) })
}

fn main() {
    drop(tool(1, 2, 3, 4, 5));
    drop(boxed(1));
}
