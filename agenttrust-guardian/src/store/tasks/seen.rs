//! What the target of a task sees of it: nothing while none of its messages has reached it, and never what is said
//! about one that has not.

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use super::TaskRow;
use crate::domain::task::{Artifact, Message, TRUST_EXTENSION, TaskStatus};

/// The state of a task as its target sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) status: TaskStatus,
    /// The time when the target last saw something change.
    pub(crate) at: Timestamp,
}

/// The view of a change that the target of a task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All of it: it did so itself, or the message lies in its inbox by this.
    Shown,
    /// The target sees only that the task has ended, if it has: the change is about a message that has not reached it.
    Kept,
    /// The task is gone: none of its messages waits for it any more, and none has reached it.
    Withdrawn,
}

impl TaskRow {
    /// Says what the target sees of the task as it stands now.
    pub(crate) fn sight(&mut self, sight: Sight, now: Timestamp) {
        match sight {
            Sight::Shown => {
                let mut status = self.task.status.clone();
                // Where it stands as before it does so since then, whatever was said in between of what it does not see.
                let same = self.seen.take().filter(|seen| {
                    seen.status.state == status.state && seen.status.message == status.message
                });
                status.timestamp = same.map_or(status.timestamp, |seen| seen.status.timestamp);
                self.seen = Some(Seen { status, at: now });
            }
            Sight::Kept => {}
            Sight::Withdrawn => self.seen = None,
        }
    }

    /// Returns the row as the target of the task sees it; `None` while there is no such task for it.
    pub(crate) fn into_seen(mut self) -> Option<Self> {
        let Seen { status, at } = self.seen.clone()?;
        self.task.status = status;
        self.task.metadata.remove(TRUST_EXTENSION);
        self.changed_at = at;
        Some(self)
    }

    /// Settles what the target sees after a change of `before`: that the task has ended it sees in any case, and of
    /// what it sees it is known when. Returns whether it sees anything new.
    pub(super) fn settle_sight(&mut self, before: &Self, now: Timestamp) -> bool {
        let state = self.state();
        if let Some(seen) = &mut self.seen
            && state.is_terminal()
            && !seen.status.state.is_terminal()
        {
            seen.status = TaskStatus { state, message: None, timestamp: Some(now) };
        }
        let status = |row: &Self| row.seen.as_ref().map(|seen| seen.status.clone());
        let is_new = status(self) != status(before);
        let has_more = self.content() != before.content();
        if let Some(seen) = &mut self.seen {
            seen.at = match &before.seen {
                Some(known) if !is_new && (seen.at == known.at || !has_more) => known.at,
                _ => now.max(before.changed_at),
            };
        }
        is_new
    }

    /// Returns what the target sees of the task beside how it stands.
    fn content(&self) -> (&[Artifact], &[Message], Map<String, Value>) {
        let mut metadata = self.task.metadata.clone();
        metadata.remove(TRUST_EXTENSION);
        (&self.task.artifacts, &self.task.history, metadata)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::task::TaskState;

    fn row(state: &str) -> TaskRow {
        let now = Timestamp::now();
        let task = json!({
            "id": "task_1", "contextId": "ctx_1", "status": { "state": state },
            "metadata": { TRUST_EXTENSION: { "approval_id": "apr_1" }, "model": "x" },
        });
        TaskRow {
            id: "task_1".to_owned(),
            org_id: "org_1".to_owned(),
            context_id: "ctx_1".to_owned(),
            source: "agt_1".to_owned(),
            source_agent_id: Some("agt_1".to_owned()),
            target_agent_id: "agt_2".to_owned(),
            task: serde_json::from_value(task).unwrap(),
            upstream: None,
            asked_at: now,
            created_at: now,
            changed_at: now,
            seen: None,
        }
    }

    #[test]
    fn target_sees_what_was_shown_and_no_word_about_what_was_not() {
        let now = Timestamp::now();
        let mut task = row("TASK_STATE_WORKING");
        assert!(task.clone().into_seen().is_none());
        task.sight(Sight::Shown, now);
        task.task.status.state = TaskState::AuthRequired;
        task.sight(Sight::Kept, now);
        let seen = task.clone().into_seen().unwrap().task;
        assert_eq!(seen.status.state, TaskState::Working);
        assert_eq!(seen.metadata, Map::from_iter([("model".to_owned(), json!("x"))]));
        task.sight(Sight::Withdrawn, now);
        assert!(task.into_seen().is_none());
    }

    #[test]
    fn what_was_said_in_between_of_what_it_does_not_see_changes_nothing_for_the_target() {
        let (first, later) = (Timestamp::now(), Timestamp::now());
        let mut before = row("TASK_STATE_WORKING");
        before.task.status.timestamp = Some(first);
        before.sight(Sight::Shown, first);
        let mut after = before.clone();
        after.task.status.timestamp = Some(later.saturating_add(std::time::Duration::from_secs(9)));
        after.sight(Sight::Shown, later.saturating_add(std::time::Duration::from_secs(9)));
        assert!(!after.settle_sight(&before, later));
        assert_eq!(after.seen, before.seen);
    }

    #[test]
    fn end_is_seen_without_what_was_said_of_it() {
        let now = Timestamp::now();
        let mut before = row("TASK_STATE_WORKING");
        before.sight(Sight::Shown, now);
        let mut after = before.clone();
        after.task.status.state = TaskState::Rejected;
        assert!(after.settle_sight(&before, now));
        let seen = after.into_seen().unwrap().task.status;
        assert_eq!((seen.state, seen.message), (TaskState::Rejected, None));
        // What never reached it has no end for it either.
        let (before, mut after) = (row("TASK_STATE_SUBMITTED"), row("TASK_STATE_REJECTED"));
        assert!(!after.settle_sight(&before, now));
        assert!(after.into_seen().is_none());
    }
}
