//! What goes on by itself: old things lapse and go, messages are delivered. Every loop ends with the Guardian.

mod backoff;
mod delivery;
#[cfg(test)]
mod delivery_tests;
mod dispatch;
mod jobs;
mod maintenance;
mod retention;
mod siem;
mod task_pushes;

use std::sync::Arc;

use crate::engine::Engine;

/// Starts every loop.
pub(crate) fn start(engine: &Arc<Engine>) {
    maintenance::start(engine);
    delivery::start(engine);
    dispatch::start(engine);
    task_pushes::start(engine);
    siem::start(engine);
}
