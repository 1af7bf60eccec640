//! Reports of what ran, on their way to the database: a queue, and one writer with a connection of its own.
//!
//! However many reports come, from one key or from all, no decision waits for a connection that a report uses. No disk
//! is filled with reports that prove nothing. A report that belongs to a check goes before one that does not.

mod queue;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use tokio::sync::oneshot;

use self::queue::{Batch, Queue};
use self::writer::Writer;
use crate::audit::AuditLog;
use crate::domain::Quota;
use crate::metrics::Reported;
use crate::store::{Db, EventRow};

/// The time that a report waits for its events to be kept.
const KEPT_WITHIN: Duration = Duration::from_secs(2);
/// The time for which what is left is written when the Guardian closes.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// The way to the one writer. What was handed over is written also when its caller is gone.
#[derive(Debug)]
pub(crate) struct Telemetry {
    queue: Arc<Queue>,
    quota: Arc<Quota>,
    reported: Reported,
}

/// The reason why events are not known to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    /// The queue has no room for more, of all agents or of this one.
    Full,
    /// The database took too long, or refused.
    Late,
}

impl Telemetry {
    /// Starts the writer.
    pub(crate) fn start(db: Db, audit: AuditLog, reported: Reported) -> Self {
        let (queue, quota) = (Arc::new(Queue::default()), Arc::new(Quota::default()));
        let (waiting, limit) = (Arc::clone(&queue), Arc::clone(&quota));
        background::spawn(Writer::new(db, waiting, limit, audit, reported.clone()).run());
        Self { queue, quota, reported }
    }

    /// Keeps these events of one agent; returns how many of them are kept. What is not verified and beyond
    /// the agent's quota is not, and counted.
    ///
    /// # Errors
    ///
    /// [`NotKept`]; the same events may be sent again.
    pub(crate) async fn keep(&self, agent_id: &str, events: Vec<EventRow>) -> Result<u64, NotKept> {
        let (verified, mut unverified): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.verified);
        let allowed = self.quota.take(agent_id, unverified.len());
        self.reported.not_kept(unverified.len() - allowed);
        unverified.truncate(allowed);
        let mut answers = Vec::new();
        let batches = [verified, unverified].into_iter().filter(|events| !events.is_empty());
        let batches = batches.map(|events| {
            let (kept, answer) = oneshot::channel();
            answers.push(answer);
            Batch::new(agent_id, events, kept)
        });
        let batches: Vec<Batch> = batches.collect();
        if let Err(turned_away) = self.queue.push(batches) {
            let unverified = turned_away.iter().filter(|batch| !batch.is_verified());
            self.quota.give_back(agent_id, unverified.map(Batch::len).sum());
            return Err(NotKept::Full);
        }
        let kept = background::timeout(KEPT_WITHIN, futures_util::future::join_all(answers)).await;
        let mut count = 0;
        for answer in kept.map_err(|_| NotKept::Late)? {
            count += answer.ok().flatten().ok_or(NotKept::Late)?;
        }
        Ok(count)
    }

    /// Returns how many events wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Takes no more, and waits a moment for what is left to be written.
    pub(crate) async fn close(&self) {
        self.queue.close();
        // What takes longer than that is said by the writer.
        let _ = background::timeout(CLOSES_WITHIN, self.queue.ended()).await;
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.queue.close();
    }
}
