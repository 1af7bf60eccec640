//! Functions that are linted twice, bare and guarded.
//!
//! Those in `clean` are clean. Those in `warned` are each named after the lint that warns of them. Dead code is allowed
//! for the dead ones among them, so that only the lint that they are about is seen.

#![warn(clippy::all, clippy::pedantic, rust_2018_idioms, missing_docs, unreachable_pub)]
#![warn(unused_qualifications, unused_lifetimes, single_use_lifetimes, redundant_lifetimes)]
#![warn(unit_bindings, let_underscore_drop, trivial_casts, trivial_numeric_casts)]
#![allow(dead_code, reason = "nothing here is called; the functions about it say so themselves")]
// A guarded function does return an error: the denial.
#![allow(clippy::unnecessary_wraps)]
#![allow(clippy::wildcard_imports)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use agenttrust::{AgentTrustError, AgentTrustGuard};

type Output<T = u32> = Result<T, AgentTrustError>;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A handle.
pub struct Steps;

impl Steps {
    fn step(&self) -> u32 {
        u32::from(std::ptr::eq(self, &raw const *self))
    }
}

#[derive(serde::Serialize)]
struct Request {
    path: String,
    mode: (u32, u32),
}

/// An error that Clippy finds too large.
pub struct Large(pub [u8; 200]);

impl From<AgentTrustError> for Large {
    fn from(_: AgentTrustError) -> Self {
        Self([0; 200])
    }
}

fn fallible() -> Output {
    Ok(1)
}

fn returns_nothing(steps: &Steps) {
    steps.step();
}

async fn waits() -> Output {
    std::future::ready(()).await;
    Ok(1)
}

/// # Safety
///
/// Safe.
unsafe fn unchecked(count: u32) -> u32 {
    count
}

/// What the functions in `callers` call.
mod called {
    use super::*;

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub(super) fn result() -> Output {
        fallible()
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    pub(super) async fn future() -> Output {
        waits().await
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded(on_denied = |_| 0))]
    #[must_use = "the count is the point"]
    pub(super) fn count() -> u32 {
        1
    }

    #[cfg_attr(feature = "guarded", agenttrust::guarded)]
    #[deprecated(note = "of old")]
    pub(super) fn old() -> Output {
        fallible()
    }
}

// Below everything: a warning is looked for in the nearest module above it.
mod clean;
/// What others see.
pub mod exported;
mod warned;
