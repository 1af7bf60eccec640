//! The tasks that an agent without an endpoint of its own fetches, without `.await`.

use std::time::Duration;

use super::wait;
use crate::client as asynchronous;
use crate::error::Result;
use crate::model::{InboxTask, MessageTask, TaskArtifact, TaskLease, Timestamp};

/// Fetching what is asked of an agent that has no endpoint of its own; the async one is [`crate::client::Inbox`].
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn summary_of(_: &str) -> String { String::new() }
/// # fn example(client: agenttrust::blocking::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
/// let inbox = client.inbox("agent-b");
/// while let Some(asked) = inbox.next(Duration::from_secs(600))? {
///     let summary = summary_of(&asked.message.text());
///     inbox.complete(&asked.lease(), &summary)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Inbox {
    inbox: asynchronous::Inbox,
}

impl Inbox {
    pub(super) fn new(inbox: asynchronous::Inbox) -> Self {
        Self { inbox }
    }

    /// Has each task for so long; a minute where nothing is said.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { inbox: self.inbox.lease(lease) }
    }

    /// Fetches the next task, as soon as there is one; `None` where none came within `wait`.
    ///
    /// # Errors
    ///
    /// As for the async [`next`](crate::client::Inbox::next).
    pub fn next(&self, within: Duration) -> Result<Option<InboxTask>> {
        let inbox = self.inbox.clone();
        wait(async move { inbox.next(within).await })
    }

    /// Says that a task is done, and what came of it as text.
    ///
    /// # Errors
    ///
    /// As for the async [`complete`](crate::client::Inbox::complete).
    pub fn complete(&self, lease: &TaskLease, text: &str) -> Result<MessageTask> {
        let (inbox, lease, text) = (self.inbox.clone(), lease.clone(), text.to_owned());
        wait(async move { inbox.complete(&lease, &text).await })
    }

    /// Says that a task is done, and what came of it.
    ///
    /// # Errors
    ///
    /// As for the async [`complete_with`](crate::client::Inbox::complete_with).
    pub fn complete_with(
        &self,
        lease: &TaskLease,
        artifacts: &[TaskArtifact],
    ) -> Result<MessageTask> {
        let (inbox, lease, artifacts) = (self.inbox.clone(), lease.clone(), artifacts.to_owned());
        wait(async move { inbox.complete_with(&lease, &artifacts).await })
    }

    /// Says that a task could not be done, and why.
    ///
    /// # Errors
    ///
    /// As for the async [`fail`](crate::client::Inbox::fail).
    pub fn fail(&self, lease: &TaskLease, reason: &str) -> Result<MessageTask> {
        let (inbox, lease, reason) = (self.inbox.clone(), lease.clone(), reason.to_owned());
        wait(async move { inbox.fail(&lease, &reason).await })
    }

    /// Keeps a task for so long from now on, and returns when its lease ends.
    ///
    /// # Errors
    ///
    /// As for the async [`extend`](crate::client::Inbox::extend).
    pub fn extend(&self, lease: &TaskLease, by: Duration) -> Result<Timestamp> {
        let (inbox, lease) = (self.inbox.clone(), lease.clone());
        wait(async move { inbox.extend(&lease, by).await })
    }
}
