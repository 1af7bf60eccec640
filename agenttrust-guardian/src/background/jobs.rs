//! Jobs of one kind: at most so many at once, and one for each thing that is worked on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The jobs that are under way.
pub(super) struct Jobs {
    busy: Arc<Mutex<HashSet<String>>>,
    most: usize,
}

/// A job under way, until it is dropped.
pub(super) struct Job {
    busy: Arc<Mutex<HashSet<String>>>,
    /// The thing that it works on.
    pub(super) id: String,
}

impl Jobs {
    /// Creates room for at most so many jobs at once.
    pub(super) fn at_most(most: usize) -> Self {
        Self { busy: Arc::default(), most }
    }

    /// Begins one; `None` where as many are under way as may be, or one works on this thing already.
    pub(super) fn begin(&self, id: String) -> Option<Job> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = busy.len() < self.most && busy.insert(id.clone());
        begins.then(|| Job { busy: Arc::clone(&self.busy), id })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
