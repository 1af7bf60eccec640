//! The one task that writes, and the handle by which everybody reaches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use agenttrust::__private::background;
use sqlx::FromRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::chain::{GENESIS, Hash, Link};
use super::counting;
use super::error::AuditError;
use super::record::{Prepared, Record};
use crate::clock::Clock;
use crate::store::{Db, Transaction, query};

/// How many rows may wait; beyond that `enqueue` refuses and `append` waits.
const QUEUE: usize = 4_096;

/// How many rows one transaction takes at most.
const BATCH: usize = 256;

/// How long to wait before an unwritable log is tried again: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

const TAIL: &str = "SELECT seq, hash FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
const NEWEST: &str = "SELECT at FROM audit WHERE log = $1 ORDER BY seq DESC LIMIT 1";
const HASH_AT: &str = "SELECT seq, hash FROM audit WHERE log = $1 AND seq = $2";
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
    /// # Errors
    ///
    /// [`AuditError::Unreadable`] when the last row cannot be read, because the table is missing, say.
    pub(crate) async fn start(db: Db, log: String, clock: Arc<Clock>) -> Result<Self, AuditError> {
        let mut transaction = db.begin().await.map_err(AuditError::unreadable)?;
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
        let writer = Writer {
            db,
            log,
            clock,
            messages,
            healthy: Arc::clone(&healthy),
            bursts: Arc::clone(&bursts),
            last: tail,
            owed: Vec::new(),
            outage: None,
        };
        background::spawn(writer.run());
        Ok(Self { queue, healthy, bursts, walks: Arc::new(Semaphore::new(1)) })
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

/// The end of the chain.
#[derive(Clone, Copy, Debug)]
struct Tail {
    seq: i64,
    hash: Hash,
}

impl Tail {
    async fn read(transaction: &mut Transaction, log: &str) -> Result<Self, sqlx::Error> {
        match query(TAIL).bind(log).fetch_optional::<Raw>(transaction).await? {
            None => Ok(Self { seq: 0, hash: GENESIS }),
            Some(row) => Ok(Self { seq: row.seq, hash: row.hash()? }),
        }
    }

    /// # Errors
    ///
    /// [`AuditError::Tampered`] when this row is no longer the one that it was.
    async fn still_stands(
        self,
        transaction: &mut Transaction,
        log: &str,
    ) -> Result<(), AuditError> {
        if self.seq == 0 {
            return Ok(());
        }
        let row: Option<Raw> = query(HASH_AT)
            .bind(log)
            .bind(self.seq)
            .fetch_optional(transaction)
            .await
            .map_err(AuditError::unwritable)?;
        match row.as_ref().map(Raw::hash).transpose().map_err(AuditError::unwritable)? {
            Some(hash) if hash == self.hash => Ok(()),
            _ => Err(AuditError::Tampered { seq: u64::try_from(self.seq).unwrap_or(0) }),
        }
    }
}

#[derive(FromRow)]
struct Raw {
    seq: i64,
    hash: Vec<u8>,
}

impl Raw {
    fn hash(&self) -> Result<Hash, sqlx::Error> {
        Hash::try_from(self.hash.as_slice()).map_err(|error| sqlx::Error::Decode(error.into()))
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
    /// The last row that this writer committed, or found at the start.
    last: Tail,
    /// Rows that were taken by `enqueue` and could not be written yet.
    owed: Vec<Waiting>,
    /// Since when nothing could be written.
    outage: Option<Outage>,
}

struct Outage {
    since: String,
    /// The organisation of the first record that was not written; the `audit.resumed` row goes there.
    org_id: String,
    refused: u64,
    retry: Duration,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        loop {
            let received = self.receive(&mut batch).await;
            let ended = received == Some(0);
            if ended && self.owed.is_empty() {
                return;
            }
            self.handle(&mut batch, &mut closing).await;
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

    /// Waits for messages, during an outage only until it is time to try again (`None`).
    async fn receive(&mut self, batch: &mut Vec<Message>) -> Option<usize> {
        match &self.outage {
            None => Some(self.messages.recv_many(batch, BATCH).await),
            Some(outage) => {
                tokio::time::timeout(outage.retry, self.messages.recv_many(batch, BATCH)).await.ok()
            }
        }
    }

    async fn handle(&mut self, batch: &mut Vec<Message>, closing: &mut Vec<oneshot::Sender<()>>) {
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
        let resumed = self.outage.as_ref().and_then(Outage::resumed);
        if !rows.is_empty() || resumed.is_some() {
            // The notice goes last: callers wait for the numbers of the rows before it.
            match self.commit(rows.iter().map(|waiting| &waiting.row).chain(&resumed)).await {
                Ok(first) => {
                    self.succeeded();
                    for (seq, waiting) in (first..).zip(rows) {
                        waiting.answer(Ok(seq));
                    }
                }
                Err(error) => {
                    self.failed(&error, &rows);
                    let (asked, owed) = rows.into_iter().partition(|row| row.answer.is_some());
                    self.owed = owed;
                    for waiting in asked {
                        waiting.answer(Err(error.clone()));
                    }
                }
            }
        }
        for answer in flushed {
            // Whoever no longer waits for the flush needs no answer.
            let _ = answer.send(());
        }
    }

    /// Writes rows in one transaction; returns the number of the first.
    ///
    /// The tail is read inside it: another process (the command line, say) may have written in between.
    async fn commit<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Prepared>,
    ) -> Result<u64, AuditError> {
        let mut transaction = self.db.begin().await.map_err(AuditError::unwritable)?;
        // Should two replicas go by one name, they take turns.
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        self.last.still_stands(&mut transaction, &self.log).await?;
        let mut tail =
            Tail::read(&mut transaction, &self.log).await.map_err(AuditError::unwritable)?;
        let first = u64::try_from(tail.seq).unwrap_or(0) + 1;
        let at = self.now();
        let rows: Vec<&Prepared> = rows.collect();
        let told = counting::count(&mut transaction, &self.log, &rows, self.clock.now()).await?;
        for row in rows.into_iter().chain(&told) {
            let seq = tail.seq + 1;
            let link = Link {
                seq,
                prev_hash: &tail.hash,
                at: &at,
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
                .bind(&at)
                .bind(row.kind)
                .bind(&row.org_id)
                .bind(&row.agent_id)
                .bind(&row.actor)
                .bind(&row.body)
                .bind(&tail.hash[..])
                .bind(&hash[..])
                .execute(&mut transaction)
                .await
                .map_err(AuditError::unwritable)?;
            tail = Tail { seq, hash };
        }
        transaction.commit().await.map_err(AuditError::unwritable)?;
        self.bursts.fetch_add(told.len() as u64, Ordering::Relaxed);
        self.last = tail;
        Ok(first)
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
                let org_id =
                    rows.first().map(|waiting| waiting.row.org_id.clone()).unwrap_or_default();
                let since = self.now();
                self.outage = Some(Outage { since, org_id, refused, retry: RETRY_FIRST });
            }
        }
    }
}

impl Outage {
    /// The row that tells the gap.
    fn resumed(&self) -> Option<Prepared> {
        let body = serde_json::json!({ "since": self.since, "refused": self.refused });
        Prepared::try_from(Record::new("audit.resumed", self.org_id.clone()).body(body)).ok()
    }
}
