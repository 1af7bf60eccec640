//! `on_denied` for `Option` and for functions that return nothing.

#![deny(warnings)]

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use agenttrust::{AgentTrustError, guarded};
use counting::{Silent, run, step, steps};

#[guarded(on_denied = |_| None)]
fn maybe(number: u8) -> Option<u8> {
    step();
    let next = number.checked_add(1)?;
    step();
    Some(next)
}

#[guarded(on_denied = drop)]
fn silent(done: &AtomicBool) {
    step();
    done.store(true, Ordering::SeqCst);
    step();
}

fn ignore(_: AgentTrustError) {}

#[guarded(on_denied = ignore)]
async fn silent_async(done: &AtomicBool) -> () {
    step();
    if done.swap(true, Ordering::SeqCst) {
        return;
    }
    step();
}

#[guarded(on_denied = |_| ())]
fn silent_boxed(done: &AtomicBool) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    step();
    Box::pin(async move { done.store(true, Ordering::SeqCst) })
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| maybe(1).ok_or(Silent)), 2);
    let done = AtomicBool::new(false);
    let ran = || if done.swap(false, Ordering::SeqCst) { Ok(()) } else { Err(Silent) };
    steps(2).of(|| {
        silent(&done);
        ran()
    });
    steps(2).of(|| {
        run(silent_async(&done));
        ran()
    });
    steps(1).of(|| {
        run(silent_boxed(&done));
        ran()
    });
}
