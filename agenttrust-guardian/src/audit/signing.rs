//! When a checkpoint is due, and where it goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::checkpoint_file::CheckpointFile;
use super::error::AuditError;
use super::head::Head;
use super::key::AuditKey;
use super::notary::{Notary, Noting, UnwrittenCheckpoints};
use super::standing::Standing;
use crate::clock::Clock;
use crate::store::{Db, Transaction};

/// The number of rows after which a checkpoint is signed, and the time after which it is if there was any row.
const EVERY_ROWS: u64 = 1_000;
const EVERY: Duration = Duration::from_secs(60);

/// The parts that sign the checkpoints of a log.
#[derive(Debug)]
pub(crate) struct Signing {
    pub(super) key: AuditKey,
    /// The file outside of the database where it is noted, until that begins.
    pub(super) file: Option<CheckpointFile>,
    noting: Option<Noting>,
    /// The notes that the file lacks.
    unwritten: Arc<UnwrittenCheckpoints>,
    /// The identity of the log, once that is known.
    log_id: Option<String>,
    /// Whether it is marked that the log was changed.
    is_marked: bool,
    /// The number of rows that no checkpoint covers yet, and since when.
    uncovered: u64,
    since: Option<Instant>,
    /// Whether one was signed since the start.
    begun: bool,
    /// Whether it signs the rows of a command, one by one, in the log of a Guardian.
    is_of_command: bool,
    /// Whether another Guardian was found to write into the same log.
    is_shared: bool,
    /// The last row at the start, where an operator accepted it although its hash is not of what it says.
    excused: Option<Head>,
}

impl Signing {
    pub(crate) fn new(key: AuditKey, file: Option<CheckpointFile>) -> Self {
        Self {
            key,
            file,
            noting: None,
            unwritten: Arc::default(),
            log_id: None,
            is_marked: false,
            uncovered: 0,
            since: None,
            begun: false,
            is_of_command: false,
            is_shared: false,
            excused: None,
        }
    }

    /// Signs each row that a command writes into the log of a Guardian, and nothing of what is before it.
    #[cfg(feature = "cli")]
    pub(crate) fn of_command(key: AuditKey) -> Self {
        Self { is_of_command: true, ..Self::new(key, None) }
    }

    /// Returns what the file lacks, which is said as long as the log is written.
    pub(super) fn unwritten(&self) -> Arc<UnwrittenCheckpoints> {
        Arc::clone(&self.unwritten)
    }

    /// Signs for the log of this identity from here on, and notes outside of the database how far it has come.
    pub(super) fn begin(
        &mut self,
        log: &str,
        standing: &Standing,
        clock: &Arc<Clock>,
        reached: watch::Receiver<Head>,
    ) {
        let log_id = standing.log_id.clone();
        (self.log_id, self.excused) = (Some(log_id.clone()), standing.excused);
        let Some(file) = self.file.take() else { return };
        let (key, log, clock) = (self.key.clone(), log.to_owned(), Arc::clone(clock));
        let unwritten = Arc::clone(&self.unwritten);
        self.noting =
            Some(Noting::begin(Notary { file, key, log, log_id, clock, unwritten }, reached));
    }

    /// Marks outside of the database, once, that the log is not what was written up to this row.
    pub(super) async fn mark(&mut self, head: Head) {
        if let Some(noting) = &mut self.noting
            && !self.is_marked
        {
            self.is_marked = noting.mark(head).await;
        }
    }

    /// Returns the identity of the log, once that is known.
    pub(super) fn log_id(&self) -> Option<&str> {
        self.log_id.as_deref()
    }

    /// Returns whether another Guardian was found to write into the same log.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Says once that another Guardian writes into the same log.
    pub(super) fn found_shared(&mut self, log: &str) {
        if !std::mem::replace(&mut self.is_shared, true) {
            tracing::warn!(
                log,
                "another Guardian writes into the audit log of this one: both have the same name, and rows that anyone \
                 else adds at its end are not seen; give each a --replica of its own"
            );
        }
    }

    /// Sends the end of the log to be noted; where this Guardian knows that it wrote the last row, as one behind which
    /// no other comes.
    pub(super) async fn end(self, is_known: bool) {
        if let Some(noting) = self.noting {
            let is_closed = is_known && self.begun;
            noting
                .end(if is_closed { CheckpointKind::Closed } else { CheckpointKind::Reached })
                .await;
        }
    }

    /// Signs for the log that a command writes into, which has to be signed by the same key.
    ///
    /// # Errors
    ///
    /// [`AuditError::AnotherKey`] when it is signed by another one.
    pub(super) async fn begin_command(
        &mut self,
        transaction: &mut Transaction,
        log: &str,
    ) -> Result<(), AuditError> {
        let newest = checkpoint::newest(&mut *transaction, log).await;
        let signer = newest.map_err(AuditError::unreadable)?.and_then(|newest| newest.signer());
        if let Some(key) = signer.filter(|signer| *signer != self.key.public()) {
            return Err(AuditError::AnotherKey { log: log.to_owned(), key });
        }
        self.log_id = checkpoint::log_id(transaction, log).await.map_err(AuditError::unreadable)?;
        Ok(())
    }

    /// Returns whether it signs the rows of a command, one by one.
    pub(super) fn is_of_command(&self) -> bool {
        self.is_of_command
    }

    /// Returns whether this row need not say what its hash is of.
    pub(super) fn excuses(&self, head: Head) -> bool {
        self.excused == Some(head)
    }

    /// Returns whether each row has to be its own or a command's: one that anyone else added was not signed by this
    /// key. Where several Guardians may write one log, not before its first checkpoint.
    pub(super) fn knows_its_rows(&self, db: &Db) -> bool {
        let is_alone = matches!(db, Db::Sqlite(_));
        !self.is_of_command && self.key.is_kept() && (is_alone || self.begun)
    }

    /// Returns when the next one is due; `None` while everything is covered.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.since.map(|since| since + EVERY)
    }

    /// Returns whether one is due, now or once `more` rows are written.
    pub(super) fn is_due(&self, more: u64) -> bool {
        if self.is_of_command {
            return more > 0;
        }
        let rows = self.uncovered + more;
        let late = self.due_at().is_some_and(|due| due <= Instant::now());
        rows > 0 && (!self.begun || late || rows >= EVERY_ROWS)
    }

    /// Returns whether there are rows that no checkpoint covers.
    pub(super) fn is_behind(&self) -> bool {
        self.uncovered > 0
    }

    pub(super) fn sign(&self, log: &str, head: Head, at: String) -> Checkpoint {
        let says = if self.is_of_command { CheckpointKind::Added } else { CheckpointKind::Reached };
        let of = (log, self.log_id.as_deref());
        Checkpoint::sign(&self.key, says, of, (head.seq, head.hash), at)
    }

    /// Counts rows that are in the log, the last of them with a checkpoint or without.
    pub(super) fn committed(&mut self, rows: u64, is_signed: bool) {
        self.uncovered += rows;
        if is_signed {
            (self.uncovered, self.since, self.begun) = (0, None, true);
        } else if self.uncovered > 0 {
            self.since.get_or_insert_with(Instant::now);
        }
    }
}
