//! [`Runs`]: what really ran, told by the bodies themselves.

use std::sync::{Arc, Mutex, PoisonError};

/// The inputs of the bodies of some tools, in the order in which they ran. Not `Serialize`, and so
/// never an input.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<Mutex<Vec<String>>>);

impl Runs {
    /// Records that a body runs, and was given this.
    pub fn ran(&self, input: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(input.to_owned());
    }

    /// Returns what ran so far.
    #[must_use]
    pub fn so_far(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
