//! Trials by force: what has to hold however the Guardian is pushed about. Here are those that move the
//! Guardian's clock; those that kill its process are in `tests/`.

mod approvals;
mod clock_jumps;
#[path = "../tests/support/mod.rs"]
pub(crate) mod support;
