//! The shown form of a task, once for all readers of it: readers that are slow hold it together, and each key counts
//! it once.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use serde::Serialize;

use super::{Task, TaskEvent, TaskState, Version};
use crate::domain::Key;
use crate::domain::limits::{Full, Share, Shares};

/// The length of a text that is not counted: nearly all are shorter.
pub(crate) const NOT_COUNTED: usize = 64 << 10;

/// An event as all hear it.
#[derive(Debug)]
pub(crate) struct Shown {
    event: TaskEvent,
    /// The texts in the words of each version, once a reader got it in those.
    texts: [OnceLock<Bytes>; Version::ALL.len()],
    /// The content, from which the answer is made again.
    content: OnceLock<u64>,
    shares: Mutex<HashMap<String, Weak<Share>>>,
}

/// The text of an event, which is counted for as long as this is held.
#[derive(Debug)]
pub(crate) struct HeldText {
    pub(crate) text: Bytes,
    /// The shown task, held so that others get the same as long as it is needed.
    _shown: Arc<Shown>,
    _share: Option<Arc<Share>>,
}

impl Shown {
    pub(crate) fn new(event: TaskEvent) -> Arc<Self> {
        let (texts, content) = (std::array::from_fn(|_| OnceLock::new()), OnceLock::new());
        Arc::new(Self { event, texts, content, shares: Mutex::default() })
    }

    /// Returns all of a task.
    pub(crate) fn whole(task: Task) -> Arc<Self> {
        Self::new(TaskEvent::Task(Box::new(task)))
    }

    pub(crate) fn event(&self) -> &TaskEvent {
        &self.event
    }

    /// Returns how the task stands by it, where it says so.
    pub(crate) fn state(&self) -> Option<TaskState> {
        match &self.event {
            TaskEvent::Task(task) => Some(task.status.state),
            TaskEvent::Status { status, .. } => Some(status.state),
            TaskEvent::Artifact { .. } => None,
        }
    }

    /// Tells the results and the history of a task from others; equal ones have equal numbers.
    pub(crate) fn content(&self) -> u64 {
        *self.content.get_or_init(|| match &self.event {
            TaskEvent::Task(task) => hash(&(&task.artifacts, &task.history)),
            TaskEvent::Status { .. } | TaskEvent::Artifact { .. } => 0,
        })
    }

    /// Returns the text in the words of this version, by `write` where it was not written before, and counted for this
    /// key.
    ///
    /// # Errors
    ///
    /// [`Full`] where the key, its organisation or all together hold too much.
    pub(crate) fn hold(
        self: &Arc<Self>,
        version: Version,
        (shares, key): (&Arc<Shares>, &Arc<Key>),
        write: impl FnOnce(&TaskEvent) -> String,
    ) -> Result<HeldText, Full> {
        let [v1, v03] = &self.texts;
        let text = match version {
            Version::V1 => v1,
            Version::V03 => v03,
        };
        let text = text.get_or_init(|| write(&self.event).into()).clone();
        let share = match text.len() > NOT_COUNTED {
            true => Some(self.share(shares, key, text.len())?),
            false => None,
        };
        Ok(HeldText { text, _shown: Arc::clone(self), _share: share })
    }

    /// Returns what this key holds of it, however often it does.
    fn share(
        &self,
        shares: &Arc<Shares>,
        key: &Arc<Key>,
        bytes: usize,
    ) -> Result<Arc<Share>, Full> {
        let mut held = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = held.get(&key.id).and_then(Weak::upgrade) {
            return Ok(share);
        }
        held.retain(|_, share| share.strong_count() > 0);
        // The event, and its text.
        let share = Arc::new(shares.take(key, bytes.saturating_mul(2))?);
        held.insert(key.id.clone(), Arc::downgrade(&share));
        Ok(share)
    }
}

/// A writer that hashes what is written, and keeps none of it.
struct Written(DefaultHasher);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hash(value: &impl Serialize) -> u64 {
    let mut written = io::BufWriter::new(Written(DefaultHasher::new()));
    // What was read as JSON can be written as it.
    let _ = serde_json::to_writer(&mut written, value);
    written.into_inner().map_or(0, |written| written.0.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Role;
    use crate::domain::limits::Limits;

    fn task(text: &str) -> Task {
        let part = json!({ "text": text });
        let artifact = json!({ "artifactId": "a", "parts": [part] });
        let status = json!({ "state": "TASK_STATE_WORKING" });
        serde_json::from_value(json!({ "id": "t", "status": status, "artifacts": [artifact] }))
            .unwrap()
    }

    fn key(id: &str) -> Arc<Key> {
        let (id, org_id, agents) = (id.to_owned(), "org".to_owned(), Vec::new());
        Arc::new(Key { id, org_id, role: Role::Agent, agents, gateway: None, owner: None })
    }

    fn write(event: &TaskEvent) -> String {
        let TaskEvent::Task(task) = event else { return String::new() };
        json!(task).to_string()
    }

    #[test]
    fn text_is_written_once_and_counted_once_for_each_key() {
        let shares = Limits::new(100).unwrap().task_bytes;
        let shown = Shown::whole(task(&"x".repeat(NOT_COUNTED)));
        let (one, other) = (key("one"), key("other"));
        let mut held = Vec::new();
        for _ in 0..1_000 {
            held.push(shown.hold(Version::V1, (&shares, &one), write).unwrap());
        }
        let bytes = shares.held();
        assert!((2 * NOT_COUNTED..3 * NOT_COUNTED).contains(&bytes), "{bytes}");
        let first = held.first().unwrap().text.as_ptr();
        assert!(held.iter().all(|held| held.text.as_ptr() == first));
        held.push(shown.hold(Version::V1, (&shares, &other), write).unwrap());
        assert_eq!(shares.held(), 2 * bytes);
        drop(held);
        assert_eq!(shares.held(), 0);
        let small = Shown::whole(task("x")).hold(Version::V1, (&shares, &one), write).unwrap();
        assert_eq!(shares.held(), 0);
        drop(small);
    }

    #[test]
    fn content_tells_what_differs_from_what_only_stands_otherwise() {
        let mut stands = task("x");
        stands.status.state = TaskState::Completed;
        assert_eq!(Shown::whole(task("x")).content(), Shown::whole(stands).content());
        assert_ne!(Shown::whole(task("x")).content(), Shown::whole(task("y")).content());
    }
}
