//! Tells those who follow tasks what happens to them: that a row changed, by whichever replica, and what a target tells of
//! one that is heard here, piece by piece.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::domain::task::{Task, TaskEvent};

/// How many changes may wait to be read; who falls behind looks again.
const CHANGES_KEPT: usize = 1_024;
/// How many pieces of one task may wait; who falls behind is told all of it anew.
const PIECES_KEPT: usize = 256;

/// What is told of tasks.
#[derive(Debug)]
pub(crate) struct TaskNews {
    changed: broadcast::Sender<Arc<str>>,
    heard: Mutex<HashMap<String, Heard>>,
    /// Counts what was put off, so that the loop that sends looks at once.
    due: watch::Sender<u64>,
}

/// A task whose target is being heard.
#[derive(Debug)]
struct Heard {
    task: Task,
    pieces: broadcast::Sender<TaskEvent>,
}

impl Default for TaskNews {
    fn default() -> Self {
        let changed = broadcast::Sender::new(CHANGES_KEPT);
        Self { changed, heard: Mutex::default(), due: watch::Sender::new(0) }
    }
}

impl TaskNews {
    fn heard(&self) -> MutexGuard<'_, HashMap<String, Heard>> {
        // What is written there is whole after every step.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the row of this task changed.
    pub(crate) fn changed(&self, task_id: &str) {
        // Nobody waiting is no error.
        let _ = self.changed.send(Arc::from(task_id));
    }

    /// Hears of every row that changes from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.changed.subscribe()
    }

    /// Has the loop that sends look at what is due.
    pub(crate) fn look(&self) {
        self.due.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What [`look`](Self::look) changes.
    pub(crate) fn looks(&self) -> watch::Receiver<u64> {
        self.due.subscribe()
    }

    /// The target of this task is heard here from now on, until what is returned is dropped.
    pub(crate) fn hear(self: &Arc<Self>, task: Task) -> Hearing {
        let task_id = task.id.clone();
        let pieces = broadcast::Sender::new(PIECES_KEPT);
        self.heard().insert(task_id.clone(), Heard { task, pieces });
        Hearing { news: Arc::clone(self), task_id }
    }

    /// The task as it was heard so far, and each piece from then on; `None` where its target is not heard here.
    pub(crate) fn join(&self, task_id: &str) -> Option<(Task, broadcast::Receiver<TaskEvent>)> {
        let heard = self.heard();
        let heard = heard.get(task_id)?;
        Some((heard.task.clone(), heard.pieces.subscribe()))
    }
}

/// Keeps a task in hearing; dropped, those who listen go by its row again.
#[derive(Debug)]
pub(crate) struct Hearing {
    news: Arc<TaskNews>,
    task_id: String,
}

impl Hearing {
    /// The target told this, and the task is `task` now.
    pub(crate) fn tell(&self, task: &Task, event: TaskEvent) {
        if let Some(heard) = self.news.heard().get_mut(&self.task_id) {
            heard.task.clone_from(task);
            // Nobody listening is no error.
            let _ = heard.pieces.send(event);
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.news.heard().remove(&self.task_id);
    }
}
