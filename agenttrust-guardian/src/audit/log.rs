//! The audit log as everyone else holds it; its writer is a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agenttrust::background;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::error::AuditError;
use super::facts::FactsDigest;
use super::head::Head;
use super::key::AuditKey;
use super::notary::UnwrittenCheckpoints;
use super::record::{Record, Row};
use super::refused;
use super::shared::{Message, Shared, Waiting, WriterEnd};
use super::signing::Signing;
use super::standing::Standing;
use super::trust::{Own, Trust};
use super::verify::Verification;
use super::writer::Writer;
use crate::clock::Clock;
use crate::store::{Db, query};

/// The number of rows that may wait for the writer ...
const QUEUE: usize = 4_096;
/// ... and how many bytes of them. Beyond either, a caller that hands over a row waits.
const QUEUE_BYTES: usize = 32 << 20;
/// The bytes that a row takes beside its body.
const ROW_BYTES: usize = 512;

const NEWEST: &str = "SELECT at FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";

/// The audit log, open for writing. Cloning shares it; it closes with its last clone.
///
/// While it cannot write, [`append`](Self::append) and [`enqueue`](Self::enqueue) answer errors and
/// [`is_healthy`](Self::is_healthy) is false. It tries again by itself; once it can, it first writes the
/// enqueued rows that it still owes and an `audit.resumed` row that tells the gap.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog {
    queue: mpsc::Sender<Message>,
    room: Arc<Semaphore>,
    shared: Arc<Shared>,
    key: Option<AuditKey>,
    /// The notes that the file of checkpoints lacks, where there is one.
    unwritten: Option<Arc<UnwrittenCheckpoints>>,
    /// The state of the log at the start, where checkpoints are signed.
    standing: Option<Arc<Standing>>,
    /// The last row that is known to be in the log.
    reached: watch::Receiver<Head>,
    /// The one place for a walk along the whole log.
    walks: Arc<Semaphore>,
}

/// A record that has its place among those that are written next.
#[derive(Debug)]
pub(crate) struct HandedOver(Option<oneshot::Receiver<Result<u64, AuditError>>>);

impl HandedOver {
    /// Waits until it is on disk, if it is one to wait for.
    pub(crate) async fn on_disk(self) -> Result<(), AuditError> {
        match self.0 {
            None => Ok(()),
            Some(answered) => answered.await.map_err(|_| AuditError::Closed)?.map(drop),
        }
    }
}

/// The end of what is written in this Guardian's log.
#[derive(Clone, Debug)]
pub(crate) struct Written(watch::Receiver<Head>);

impl Written {
    /// Returns the number of the newest row.
    pub(crate) fn newest(&mut self) -> i64 {
        self.0.borrow_and_update().seq
    }

    /// Waits until more is written; `false` once nothing is any more.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub(crate) async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

impl AuditLog {
    /// Opens the log in a database that has its table, and starts its writer on the background runtime.
    ///
    /// With `signing`, what was noted outside of the database is compared with it first, and checkpoints
    /// are signed from here on.
    ///
    /// # Errors
    ///
    /// [`AuditError::Unreadable`] when the last row cannot be read, because the table is missing, say, and
    /// [`AuditError::Truncated`] when the log ends before a checkpoint of it, [`AuditError::AnotherLog`] when it is not
    /// the one that was noted, [`AuditError::KeyReplaced`] when another key signed it, and [`AuditError::Seen`] when it
    /// was seen changed. What was changed or added is marked outside of the database then.
    pub(crate) async fn start(
        db: Db,
        log: String,
        clock: Arc<Clock>,
        mut signing: Option<Signing>,
    ) -> Result<Self, AuditError> {
        let mut transaction = db.begin().await.map_err(AuditError::unreadable)?;
        // What a Guardian that was killed asked for may still be written.
        transaction.lock(&log).await.map_err(AuditError::unreadable)?;
        let standing = match &mut signing {
            Some(signing) if signing.is_of_command() => {
                signing.begin_command(&mut transaction, &log).await?;
                None
            }
            Some(signing) => match Standing::find(&mut transaction, &log, signing).await {
                Ok(standing) => Some(standing),
                Err(refusal) => {
                    refused::mark(&mut transaction, (&log, &clock), signing, &refusal).await;
                    return Err(refusal);
                }
            },
            None => None,
        };
        let head = Head::load(&mut transaction, &log).await.map_err(AuditError::unreadable)?;
        let newest: Option<(String,)> = query(NEWEST)
            .bind(&log)
            .fetch_optional(&mut transaction)
            .await
            .map_err(AuditError::unreadable)?;
        transaction.commit().await.map_err(AuditError::unreadable)?;
        if let Some(at) = newest.and_then(|(at,)| at.parse().ok()) {
            clock.not_before(at);
        }
        let (queue, messages) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared { healthy: AtomicBool::new(true), ..Shared::default() });
        let (last, reached) = watch::channel(head);
        let key = signing.as_ref().map(|signing| signing.key.clone());
        let unwritten = signing.as_ref().map(Signing::unwritten);
        if let (Some(signing), Some(standing)) = (&mut signing, &standing) {
            signing.begin(&log, standing, &clock, reached.clone());
        }
        let end = WriterEnd { messages, shared: Arc::clone(&shared), last };
        let writer = Writer::new(db, log, clock, end, signing);
        background::spawn(writer.run());
        Ok(Self {
            queue,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            shared,
            key,
            unwritten,
            standing: standing.map(Arc::new),
            reached,
            walks: Arc::new(Semaphore::new(1)),
        })
    }

    /// Returns the key that signs checkpoints, if any are signed.
    pub(crate) fn key(&self) -> Option<&AuditKey> {
        self.key.as_ref()
    }

    /// Returns what is known here of this log, by its name, whatever the database says.
    pub(crate) fn own(&self, log: &str) -> Own {
        let key = self.key().map(AuditKey::public);
        let standing = self.standing.as_deref();
        Own {
            log: log.to_owned(),
            log_id: standing.map(|standing| standing.log_id.clone()),
            key,
            key_is_kept: self.key().is_some_and(AuditKey::is_kept),
            reached: *self.reached.borrow(),
            began_at: standing.map_or(0, |standing| standing.head.seq),
            cut_at_start: standing.and_then(|standing| standing.cut),
            accepted: standing.and_then(|standing| standing.accepted.clone()),
            seen: self.shared.seen.get().copied(),
        }
    }

    /// Returns whether these facts have a row that others can refer to.
    pub(crate) fn has_told(&self, facts: FactsDigest) -> bool {
        self.shared.told.knows(facts)
    }

    /// Lets facts be written again that a row refers to, because rows were let go.
    pub(crate) fn forget_told(&self) {
        self.shared.told.forget();
    }

    /// Writes a record and returns its row's number once it is on disk. Where many rows wait, it waits for
    /// a place first.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the row is not in the log; the caller denies.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the record may or may not be written.
    pub(crate) async fn append(&self, record: Record) -> Result<u64, AuditError> {
        let (answer, answered) = oneshot::channel();
        self.send(record.try_into()?, Some(answer)).await?;
        answered.await.map_err(|_| AuditError::Closed)?
    }

    /// Hands a record over, and returns once it has its place; it is on disk with one of the next
    /// transactions.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the record was not taken: the log is closed, or cannot be written at present.
    /// The caller denies.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the record is not written.
    pub(crate) async fn enqueue(&self, record: Record) -> Result<(), AuditError> {
        self.hand_over(record.try_into()?, false).await.map(drop)
    }

    /// Hands a record over without waiting; returns `false` where the queue is full, and the record is not written.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the record cannot be one, and when the log is closed or cannot be written at present.
    pub(crate) fn offer(&self, record: Record) -> Result<bool, AuditError> {
        if !self.is_healthy() {
            return Err(AuditError::Unhealthy);
        }
        let row = Row::try_from(record)?;
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes_of(&row)) else {
            return Ok(false);
        };
        let message = Message::Write(Waiting { row, answer: None, _room: Some(room) });
        Ok(self.queue.try_send(message).is_ok())
    }

    /// Does what [`append`](Self::append) or [`enqueue`](Self::enqueue) does, up to the point where the row has its
    /// place. Dropped before that, it is not written.
    pub(crate) async fn hand_over(
        &self,
        row: Row,
        to_disk: bool,
    ) -> Result<HandedOver, AuditError> {
        if to_disk {
            let (answer, answered) = oneshot::channel();
            self.send(row, Some(answer)).await?;
            return Ok(HandedOver(Some(answered)));
        }
        if self.queue.is_closed() {
            return Err(AuditError::Closed);
        }
        if !self.is_healthy() {
            return Err(AuditError::Unhealthy);
        }
        self.send(row, None).await?;
        Ok(HandedOver(None))
    }

    async fn send(
        &self,
        row: Row,
        answer: Option<oneshot::Sender<Result<u64, AuditError>>>,
    ) -> Result<(), AuditError> {
        let room = Arc::clone(&self.room).acquire_many_owned(bytes_of(&row)).await;
        let room = Some(room.map_err(|_| AuditError::Closed)?);
        let message = Message::Write(Waiting { row, answer, _room: room });
        self.queue.send(message).await.map_err(|_| AuditError::Closed)
    }

    /// Returns whether the writer lives and its last write succeeded.
    #[must_use]
    pub(crate) fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire) && !self.queue.is_closed()
    }

    /// Returns whether the log was seen changed from outside. An operator has to look then; no time mends it.
    pub(crate) fn was_changed(&self) -> bool {
        self.shared.seen.get().is_some()
    }

    /// Returns whether the file of checkpoints has all that is to be noted in it, a mark that the log was changed
    /// among that.
    pub(crate) fn is_noted(&self) -> bool {
        self.unwritten.as_ref().is_none_or(|unwritten| !unwritten.any())
    }

    /// Returns how many bursts of denials this log reported since the start.
    pub(crate) fn bursts(&self) -> u64 {
        self.shared.bursts.load(Ordering::Relaxed)
    }

    /// Returns how many rows were written since the start.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    /// Hears of rows that are written from here on.
    pub(crate) fn listen(&self) -> Written {
        Written(self.reached.clone())
    }

    /// Returns how many records wait to be taken by the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    /// Returns the same, once the walk that is on its way is over.
    pub(crate) async fn wait_for_walk(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.walks).acquire_owned().await.ok()
    }

    /// Returns leave to verify the whole log, or to let its first rows go; `None` while another walk is on its way.
    /// Many of them at once would keep the database from decisions.
    pub(crate) fn begin_walk(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.walks).try_acquire_owned().ok()
    }

    /// Remembers for good what walks along the logs found in this one, which is called `name`, and looks at its end:
    /// from then on nothing is decided until an operator accepts it. What was found in the log of another Guardian is
    /// logged.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may or may not be remembered.
    pub(crate) async fn heed(&self, name: &str, found: &mut [Verification]) {
        for Verification { log, fault, .. } in found {
            if log != name {
                if let Some(fault) = fault.as_ref().filter(|fault| fault.is_sure) {
                    tracing::error!(
                        log, row = fault.seq, what = %fault.what,
                        "the audit log of another Guardian, or of a command, is not what was written; have that Guardian \
                         verify it: it alone decides nothing from then on"
                    );
                }
                continue;
            }
            match fault {
                Some(fault) if fault.is_sure => {
                    let fault = fault.clone();
                    self.ask(|answer| Message::FaultFound(fault, answer)).await;
                }
                Some(_) => {}
                None => {
                    self.ask(Message::Compare).await;
                    *fault = Trust { own: Some(self.own(name)), ..Trust::default() }.seen(name);
                }
            }
        }
    }

    /// Asks the writer to do this, in its turn.
    async fn ask(&self, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(message(answer)).await.is_ok() {
            // An error here means that the writer ended, after which there is nothing to wait for.
            let _ = answered.await;
        }
    }

    /// Waits until everything handed over before has been tried; [`is_healthy`](Self::is_healthy) then
    /// tells whether it is on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the rows are written all the same.
    pub(crate) async fn flush(&self) {
        self.ask(Message::Flush).await;
    }

    /// Takes no more records, writes those that wait, and ends the writer.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the log closes all the same.
    pub(crate) async fn close(&self) {
        // The writer drops the sender when it ends.
        self.ask(Message::Close).await;
    }
}

/// Returns how much of the bytes that may wait a row takes.
fn bytes_of(row: &Row) -> u32 {
    let facts: usize = row.facts.iter().map(|(_, facts)| ROW_BYTES + facts.body.len()).sum();
    let bytes = (ROW_BYTES + row.body.len() + facts).min(QUEUE_BYTES);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
