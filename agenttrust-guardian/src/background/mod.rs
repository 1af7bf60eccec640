//! What goes on by itself: old things lapse and go, messages are delivered. Every loop ends with the Guardian.

mod backoff;
mod delivery;
#[cfg(test)]
mod delivery_tests;
mod dispatch;
mod jobs;
#[cfg(test)]
mod log_lines;
mod maintenance;
mod retention;
mod siem;
mod task_pushes;

use std::sync::{Arc, Weak};

use crate::engine::Engine;

/// Starts every loop.
pub(crate) fn start(engine: &Arc<Engine>) {
    maintenance::start(engine);
    delivery::start(engine);
    dispatch::start(engine);
    task_pushes::start(engine);
    siem::start(engine);
}

/// Returns the Guardian, unless it is gone or about to close: its database closes with it, and what was under way and
/// cannot be kept then is no trouble.
fn alive(engine: &Weak<Engine>) -> Option<Arc<Engine>> {
    engine.upgrade().filter(|engine| !*engine.closing.borrow())
}
