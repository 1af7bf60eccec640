//! A crate that forbids unsafe code, and every lint group that is on in such crates.

#![deny(warnings)]
#![forbid(unsafe_code)]
#![deny(
    absolute_paths_not_starting_with_crate,
    closure_returning_async_block,
    deprecated_in_future,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    future_incompatible,
    if_let_rescope,
    impl_trait_overcaptures,
    impl_trait_redundant_captures,
    keyword_idents,
    let_underscore,
    let_underscore_drop,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    nonstandard_style,
    redundant_imports,
    redundant_lifetimes,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    single_use_lifetimes,
    tail_expr_drop_order,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    variant_size_differences
)]

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use agenttrust::{AgentTrustError, guarded};
use counting::{Silent, run, step, steps};

#[deny(unused_results)]
#[guarded(effect = "destructive", on_elevation = "wait", wait = "1s")]
async fn tool(mut path: String, (a, _b): (u8, u8)) -> Result<usize, AgentTrustError> {
    step();
    path.push('!');
    step();
    Ok(path.len() + usize::from(a))
}

#[deny(unused_results)]
#[guarded]
fn sync(path: &str) -> Result<&str, AgentTrustError> {
    step();
    Ok(path)
}

#[guarded]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Result<u8, AgentTrustError>> + Send>> {
    step();
    Box::pin(async move { Ok(number) })
}

#[guarded(input(number))]
fn implied(number: &u8) -> impl Future<Output = Result<u8, AgentTrustError>> {
    step();
    async move { Ok(*number) }
}

#[guarded(on_denied = drop)]
async fn unit(done: &AtomicBool) {
    step();
    done.store(true, Ordering::SeqCst);
}

fn main() {
    assert_eq!(steps(2).of(|| run(tool("a".to_owned(), (1, 2)))), 3);
    assert_eq!(steps(1).of(|| sync("a")), "a");
    assert_eq!(steps(1).of(|| run(boxed(1))), 1);
    assert_eq!(steps(1).of(|| run(implied(&1))), 1);
    let done = AtomicBool::new(false);
    steps(1).of(|| {
        run(unit(&done));
        if done.swap(false, Ordering::SeqCst) { Ok(()) } else { Err(Silent) }
    });
}
