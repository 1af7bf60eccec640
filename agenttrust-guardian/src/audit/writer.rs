//! The one task that writes, and the handle by which everybody reaches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use agenttrust::__private::background;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::chain::Link;
use super::checkpoint::Checkpoint;
use super::counting;
use super::error::AuditError;
use super::key::AuditKey;
use super::record::{Prepared, Record};
use super::signing::Signing;
use super::tail::Tail;
use super::verify::Own;
use super::{PATIENCE, notes};
use crate::clock::Clock;
use crate::state::DEFAULT_ORG;
use crate::store::{Db, Transaction, query};

/// How many rows may wait; beyond that `enqueue` refuses and `append` waits.
const QUEUE: usize = 4_096;

/// How many rows one transaction takes at most.
const BATCH: usize = 256;
/// ... and at least, however slow the database is.
const BATCH_LEAST: usize = 8;

/// How long to wait before an unwritable log is tried again: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

const NEWEST: &str = "SELECT at FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "INSERT INTO audit (log, seq, at, kind, org_id, agent_id, actor, body, prev_hash, \
                      hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// The audit log, open for writing. Cloning shares it; it closes with its last clone.
///
/// While it cannot write, [`append`](Self::append) and [`enqueue`](Self::enqueue) answer errors and
/// [`is_healthy`](Self::is_healthy) is false. It tries again by itself; once it can, it first writes the
/// enqueued rows that it still owes and an `audit.resumed` row that tells the gap.
#[derive(Clone, Debug)]
pub struct AuditLog {
    queue: mpsc::Sender<Message>,
    healthy: Arc<AtomicBool>,
    /// Bursts of denials told of since the start.
    bursts: Arc<AtomicU64>,
    /// Rows on disk since the start.
    written: Arc<AtomicU64>,
    key: Option<AuditKey>,
    /// The last row that is known to be in the log.
    reached: watch::Receiver<Tail>,
    /// One walk along the whole log at a time.
    walks: Arc<Semaphore>,
}

#[derive(Debug)]
enum Message {
    Write(Waiting),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A row on its way to the disk, and who waits for it to be there: nobody when it was enqueued.
#[derive(Debug)]
struct Waiting {
    row: Prepared,
    answer: Option<oneshot::Sender<Result<u64, AuditError>>>,
}

impl Waiting {
    fn answer(self, result: Result<u64, AuditError>) {
        if let Some(answer) = self.answer {
            // Whoever no longer waits has a row that is written, or not, all the same.
            let _ = answer.send(result);
        }
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
    /// [`AuditError::Truncated`] when the log ends before a checkpoint of it.
    pub(crate) async fn start(
        db: Db,
        log: String,
        clock: Arc<Clock>,
        signing: Option<Signing>,
    ) -> Result<Self, AuditError> {
        let mut transaction = db.begin().await.map_err(AuditError::unreadable)?;
        if let Some(signing) = &signing {
            notes::compare(&mut transaction, &log, signing).await?;
        }
        let tail = Tail::read(&mut transaction, &log).await.map_err(AuditError::unreadable)?;
        let newest: Option<(String,)> = query(NEWEST)
            .bind(&log)
            .fetch_optional(&mut transaction)
            .await
            .map_err(AuditError::unreadable)?;
        drop(transaction);
        if let Some(at) = newest.and_then(|(at,)| at.parse().ok()) {
            clock.not_before(at);
        }
        let (queue, messages) = mpsc::channel(QUEUE);
        let healthy = Arc::new(AtomicBool::new(true));
        let bursts = Arc::new(AtomicU64::new(0));
        let written = Arc::new(AtomicU64::new(0));
        let (last, reached) = watch::channel(tail);
        let key = signing.as_ref().map(|signing| signing.key.clone());
        let writer = Writer {
            db,
            log,
            clock,
            messages,
            healthy: Arc::clone(&healthy),
            bursts: Arc::clone(&bursts),
            written: Arc::clone(&written),
            last,
            signing,
            owed: Vec::new(),
            most: BATCH,
            outage: None,
            doubt: None,
        };
        background::spawn(writer.run());
        let walks = Arc::new(Semaphore::new(1));
        Ok(Self { queue, healthy, bursts, written, key, reached, walks })
    }

    /// The key that signs checkpoints, if any are signed.
    pub(crate) fn key(&self) -> Option<&AuditKey> {
        self.key.as_ref()
    }

    /// What is known here of this log, by its name, whatever the database says.
    pub(crate) fn own(&self, log: &str) -> Own {
        let key = self.key().map(AuditKey::public);
        Own { log: log.to_owned(), key, reached: *self.reached.borrow() }
    }

    /// Writes a record and returns its row's number once it is on disk.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the row is not in the log; the caller denies.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the record may or may not be written.
    pub async fn append(&self, record: Record) -> Result<u64, AuditError> {
        let row = Prepared::try_from(record)?;
        let (answer, answered) = oneshot::channel();
        let message = Message::Write(Waiting { row, answer: Some(answer) });
        self.queue.send(message).await.map_err(|_| AuditError::Closed)?;
        answered.await.map_err(|_| AuditError::Closed)?
    }

    /// Hands a record over and returns at once; it is on disk with the next transaction.
    ///
    /// # Errors
    ///
    /// [`AuditError`] when the record was not taken: the log is closed, full, or cannot be written at
    /// present. The caller denies.
    pub fn enqueue(&self, record: Record) -> Result<(), AuditError> {
        if self.queue.is_closed() {
            return Err(AuditError::Closed);
        }
        if !self.is_healthy() {
            return Err(AuditError::Unhealthy);
        }
        let row = Prepared::try_from(record)?;
        let message = Message::Write(Waiting { row, answer: None });
        self.queue.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AuditError::Full { capacity: QUEUE },
            mpsc::error::TrySendError::Closed(_) => AuditError::Closed,
        })
    }

    /// Whether the writer lives and its last write succeeded.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire) && !self.queue.is_closed()
    }

    /// How many bursts of denials this log told of since the start.
    pub(crate) fn bursts(&self) -> u64 {
        self.bursts.load(Ordering::Relaxed)
    }

    /// How many rows were written since the start.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How many records wait to be taken by the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity().saturating_sub(self.queue.capacity())
    }

    /// Leave to read the whole log; `None` while somebody else does. Many who read it all at once would
    /// keep the database from those who decide.
    pub(crate) fn begin_walk(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.walks).try_acquire_owned().ok()
    }

    /// Waits until everything handed over before has been tried; [`is_healthy`](Self::is_healthy) then
    /// tells whether it is on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the rows are written all the same.
    pub async fn flush(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Message::Flush(answer)).await.is_ok() {
            // An error here means that the writer ended, after which there is nothing to wait for.
            let _ = answered.await;
        }
    }

    /// Takes no more records, writes those that wait, and ends the writer.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the log closes all the same.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Message::Close(answer)).await.is_ok() {
            // The writer drops the sender when it ends.
            let _ = answered.await;
        }
    }
}

struct Writer {
    db: Db,
    /// Which log it writes.
    log: String,
    clock: Arc<Clock>,
    messages: mpsc::Receiver<Message>,
    healthy: Arc<AtomicBool>,
    bursts: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    /// The last row that this writer committed, or found at the start.
    last: watch::Sender<Tail>,
    signing: Option<Signing>,
    /// Rows that were taken by `enqueue` and could not be written yet.
    owed: Vec<Waiting>,
    /// How many rows one transaction takes at present: fewer while the database is slow.
    most: usize,
    /// Since when nothing could be written.
    outage: Option<Outage>,
    /// A commit that was asked for and not answered.
    doubt: Option<Doubt>,
}

/// A commit of which nobody knows yet whether it was done.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// The row before its first one, and its last one.
    before: Tail,
    tail: Tail,
    /// How many of its rows are owed: the first of those that are.
    owed: Option<usize>,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        loop {
            let ended = self.receive(&mut batch).await == Some(0);
            self.handle(&mut batch, &mut closing, ended).await;
            if ended {
                if !self.owed.is_empty() {
                    tracing::error!(
                        rows = self.owed.len(),
                        "the audit log closed with rows that it could not write"
                    );
                }
                return;
            }
        }
    }

    /// Waits for messages; during an outage, or with a checkpoint to sign, only until that is due (`None`).
    async fn receive(&mut self, batch: &mut Vec<Message>) -> Option<usize> {
        let checkpoint = self.signing.as_ref().and_then(Signing::due_at);
        let retry = self.outage.as_ref().map(|outage| Instant::now() + outage.retry);
        match retry.or(checkpoint) {
            None => Some(self.messages.recv_many(batch, BATCH).await),
            Some(due) => timeout_at(due, self.messages.recv_many(batch, BATCH)).await.ok(),
        }
    }

    async fn handle(
        &mut self,
        batch: &mut Vec<Message>,
        closing: &mut Vec<oneshot::Sender<()>>,
        ended: bool,
    ) {
        let settled = timeout(PATIENCE, self.settle()).await.unwrap_or_else(|_| self.silent());
        let mut rows = std::mem::take(&mut self.owed);
        let mut flushed = Vec::new();
        for message in batch.drain(..) {
            match message {
                Message::Write(row) => rows.push(row),
                Message::Flush(answer) => flushed.push(answer),
                Message::Close(answer) => {
                    self.messages.close();
                    closing.push(answer);
                }
            }
        }
        let mut settled = settled;
        loop {
            // After an outage more may wait than one transaction takes in its time.
            let later = rows.split_off(rows.len().min(self.most));
            let is_last = later.is_empty();
            let resumed = self.outage.as_ref().filter(|_| is_last).and_then(Outage::resumed);
            let more = rows.len() as u64;
            let sign = self.signing.as_ref().is_some_and(|signing| {
                signing.is_due(more) || is_last && ended && (signing.is_behind() || more > 0)
            });
            if rows.is_empty() && resumed.is_none() && !sign {
                break;
            }
            // The notice goes last: callers wait for the numbers of the rows before it.
            let written = match std::mem::replace(&mut settled, Ok(())) {
                Ok(()) => {
                    let all = rows.iter().map(|waiting| &waiting.row).chain(&resumed);
                    let written = timeout(PATIENCE, self.commit(all, sign)).await;
                    written.unwrap_or_else(|_| self.silent())
                }
                Err(error) => Err(error),
            };
            match written {
                Ok(first) => {
                    if is_last {
                        self.succeeded();
                    }
                    self.most = (self.most * 2).min(BATCH);
                    let count = rows.len() + usize::from(resumed.is_some());
                    self.written.fetch_add(count as u64, Ordering::Relaxed);
                    for (seq, waiting) in (first..).zip(rows) {
                        waiting.answer(Ok(seq));
                    }
                }
                Err(error) => {
                    self.most = (self.most / 2).max(BATCH_LEAST);
                    let in_doubt = rows.iter().filter(|row| row.answer.is_none()).count();
                    if let Some(doubt) = &mut self.doubt {
                        doubt.owed.get_or_insert(in_doubt);
                    }
                    rows.extend(later);
                    self.failed(&error, &rows);
                    let (asked, owed) = rows.into_iter().partition(|row| row.answer.is_some());
                    self.owed = owed;
                    for waiting in asked {
                        waiting.answer(Err(error.clone()));
                    }
                    break;
                }
            }
            rows = later;
            if is_last {
                break;
            }
        }
        for answer in flushed {
            // Whoever no longer waits for the flush needs no answer.
            let _ = answer.send(());
        }
    }

    /// Gives up on a connection whose far end is silent: it may never say that it is gone.
    fn silent<T>(&mut self) -> Result<T, AuditError> {
        self.db = self.db.afresh();
        Err(AuditError::Silent)
    }

    /// Finds out what became of a commit that was not answered, so that its rows are there once.
    async fn settle(&mut self) -> Result<(), AuditError> {
        let Some(Doubt { before, tail, owed }) = self.doubt else { return Ok(()) };
        let mut transaction = self.db.begin().await.map_err(AuditError::unwritable)?;
        // Held by the other one for as long as it may still be done.
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        let done =
            tail.is_there(&mut transaction, &self.log).await.map_err(AuditError::unwritable)?;
        self.doubt = None;
        if done {
            self.owed.drain(..owed.unwrap_or(0).min(self.owed.len()));
            let rows = u64::try_from(tail.seq - before.seq).unwrap_or(0);
            self.advance(tail, rows, None);
            self.written.fetch_add(rows, Ordering::Relaxed);
            if let Some(outage) = &mut self.outage {
                outage.written_unanswered = Some((before.seq + 1, tail.seq));
            }
        }
        Ok(())
    }

    /// Writes rows in one transaction, and a checkpoint of them if asked to; returns the number of the
    /// first.
    ///
    /// The tail is read inside it: another process (the command line, say) may have written in between.
    async fn commit<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Prepared>,
        sign: bool,
    ) -> Result<u64, AuditError> {
        let mut transaction = self.db.begin().await.map_err(AuditError::unwritable)?;
        // Should two replicas go by one name, they take turns.
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        let (last, key) = (*self.last.borrow(), self.signing.as_ref().map(|own| own.key.public()));
        last.still_stands(&mut transaction, &self.log, key).await?;
        let before =
            Tail::read(&mut transaction, &self.log).await.map_err(AuditError::unwritable)?;
        let first = u64::try_from(before.seq).unwrap_or(0) + 1;
        let at = self.now();
        let rows: Vec<&Prepared> = rows.collect();
        let told = counting::count(&mut transaction, &self.log, &rows, self.clock.now()).await?;
        let rows = rows.into_iter().chain(&told);
        let tail = self.insert(&mut transaction, before, &at, rows).await?;
        let checkpoint = match &self.signing {
            Some(signing) if sign => Some(signing.sign(&self.log, tail, at)),
            _ => None,
        };
        if let Some(checkpoint) = &checkpoint {
            checkpoint.keep(&mut transaction).await.map_err(AuditError::unwritable)?;
        }
        self.doubt = Some(Doubt { before, tail, owed: None });
        transaction.commit().await.map_err(AuditError::unwritable)?;
        self.doubt = None;
        self.advance(tail, u64::try_from(tail.seq - before.seq).unwrap_or(0), checkpoint.as_ref());
        self.written.fetch_add(told.len() as u64, Ordering::Relaxed);
        self.bursts.fetch_add(told.len() as u64, Ordering::Relaxed);
        Ok(first)
    }

    /// Adds rows after this tail; returns the new one.
    async fn insert<'a>(
        &self,
        transaction: &mut Transaction,
        mut tail: Tail,
        at: &str,
        rows: impl Iterator<Item = &'a Prepared>,
    ) -> Result<Tail, AuditError> {
        for row in rows {
            let seq = tail.seq + 1;
            let link = Link {
                seq,
                prev_hash: &tail.hash,
                at,
                kind: row.kind,
                org_id: &row.org_id,
                agent_id: row.agent_id.as_deref(),
                actor: row.actor.as_deref(),
                body: &row.body,
            };
            let hash = link.hash();
            query(INSERT)
                .bind(&self.log)
                .bind(seq)
                .bind(at)
                .bind(row.kind)
                .bind(&row.org_id)
                .bind(&row.agent_id)
                .bind(&row.actor)
                .bind(&row.body)
                .bind(&tail.hash[..])
                .bind(&hash[..])
                .execute(&mut *transaction)
                .await
                .map_err(AuditError::unwritable)?;
            tail = Tail { seq, hash };
        }
        Ok(tail)
    }

    /// Remembers that the log has come this far.
    fn advance(&mut self, tail: Tail, rows: u64, checkpoint: Option<&Checkpoint>) {
        self.last.send_replace(tail);
        if let Some(signing) = &mut self.signing {
            signing.committed(rows, checkpoint);
        }
    }

    /// Always six decimals, so that the text sorts as the time does.
    fn now(&self) -> String {
        format!("{:.6}", self.clock.now())
    }

    fn succeeded(&mut self) {
        if let Some(outage) = self.outage.take() {
            tracing::warn!(
                since = outage.since,
                refused = outage.refused,
                "the audit log can be written again"
            );
        }
        self.healthy.store(true, Ordering::Release);
    }

    fn failed(&mut self, error: &AuditError, rows: &[Waiting]) {
        self.healthy.store(false, Ordering::Release);
        let refused = rows.iter().filter(|waiting| waiting.answer.is_some()).count() as u64;
        match &mut self.outage {
            Some(outage) => {
                outage.refused += refused;
                outage.retry = (outage.retry * 2).min(RETRY_MAX);
            }
            None => {
                tracing::error!(%error, "the audit log cannot be written, so checks are denied");
                let org_id = rows
                    .first()
                    .map_or_else(|| DEFAULT_ORG.to_owned(), |waiting| waiting.row.org_id.clone());
                let since = self.now();
                self.outage = Some(Outage {
                    since,
                    org_id,
                    refused,
                    written_unanswered: None,
                    retry: RETRY_FIRST,
                });
            }
        }
    }
}

struct Outage {
    since: String,
    /// The organisation of the first record that was not written; the `audit.resumed` row goes there.
    org_id: String,
    refused: u64,
    /// The first and the last row that turned out to be written although nobody was told so.
    written_unanswered: Option<(i64, i64)>,
    retry: Duration,
}

impl Outage {
    /// The row that tells the gap.
    fn resumed(&self) -> Option<Prepared> {
        let mut body = serde_json::json!({ "since": self.since, "refused": self.refused });
        if let (Some((first, last)), Some(body)) = (self.written_unanswered, body.as_object_mut()) {
            let rows = serde_json::json!({ "first": first, "last": last });
            body.insert("written_unanswered".to_owned(), rows);
        }
        Prepared::try_from(Record::new("audit.resumed", self.org_id.clone()).body(body)).ok()
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
