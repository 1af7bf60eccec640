//! When a checkpoint is due, where it goes, and whether the log still has what it says.

use std::time::Duration;

use tokio::time::Instant;

use super::checkpoint::{self, Checkpoint, CheckpointKind};
use super::checkpoint_file::{self, CheckpointFile};
use super::error::AuditError;
use super::head::Head;
use super::key::AuditKey;
use crate::store::Transaction;

/// After how many rows a checkpoint is signed, and after how long if there was any row.
const EVERY_ROWS: u64 = 1_000;
const EVERY: Duration = Duration::from_secs(60);

/// What signs the checkpoints of a log.
#[derive(Debug)]
pub(crate) struct Signing {
    pub(super) key: AuditKey,
    pub(super) notes: Option<CheckpointFile>,
    /// How many rows no checkpoint covers yet, and since when.
    uncovered: u64,
    since: Option<Instant>,
    /// Whether one was signed since the start.
    begun: bool,
}

impl Signing {
    pub(crate) fn new(key: AuditKey, notes: Option<CheckpointFile>) -> Self {
        Self { key, notes, uncovered: 0, since: None, begun: false }
    }

    /// When the next one is due; `None` while everything is covered.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.since.map(|since| since + EVERY)
    }

    /// Whether one is due, now or once `more` rows are written.
    pub(super) fn is_due(&self, more: u64) -> bool {
        let rows = self.uncovered + more;
        let late = self.due_at().is_some_and(|due| due <= Instant::now());
        rows > 0 && (!self.begun || late || rows >= EVERY_ROWS)
    }

    /// Whether there are rows that no checkpoint covers.
    pub(super) fn is_behind(&self) -> bool {
        self.uncovered > 0
    }

    pub(super) fn sign(&self, log: &str, head: Head, at: String) -> Checkpoint {
        Checkpoint::sign(&self.key, CheckpointKind::Reached, log, (head.seq, head.hash), at)
    }

    /// Counts rows that are in the log, and notes the checkpoint that was written with them.
    pub(super) fn committed(&mut self, rows: u64, checkpoint: Option<&Checkpoint>) {
        self.uncovered += rows;
        match checkpoint {
            Some(checkpoint) => {
                (self.uncovered, self.since, self.begun) = (0, None, true);
                if let Some(notes) = &mut self.notes {
                    notes.add(checkpoint);
                }
            }
            None if self.uncovered > 0 => {
                self.since.get_or_insert_with(Instant::now);
            }
            None => {}
        }
    }
}

/// Whether the log still has what checkpoints say that it had: the newest in the database that is by the
/// same key, and the newest that was noted outside.
pub(super) async fn compare(
    transaction: &mut Transaction,
    log: &str,
    signing: &Signing,
) -> Result<(), AuditError> {
    let own = Some(signing.key.public());
    let kept = checkpoint::newest(&mut *transaction, log).await.map_err(AuditError::unreadable)?;
    let kept = kept.filter(|kept| kept.signer() == own).map(|kept| (kept, "the database".into()));
    let noted = match &signing.notes {
        None => None,
        Some(notes) => {
            let noted =
                checkpoint_file::newest(notes.path())?.into_iter().find(|noted| noted.log == log);
            noted.map(|noted| (noted, notes.path().display().to_string()))
        }
    };
    for (checkpoint, place) in kept.into_iter().chain(noted) {
        let Some(said) =
            Head::from_checkpoint(&checkpoint).filter(|_| checkpoint.signer().is_some())
        else {
            tracing::error!(
                %place, seq = checkpoint.seq,
                "a checkpoint of the audit is signed by nobody and not gone by"
            );
            continue;
        };
        match said.still_stands(transaction, log, own).await {
            Err(AuditError::Tampered { log, seq }) => {
                return Err(AuditError::Truncated { log, seq, at: checkpoint.at, place });
            }
            stands => stands?,
        }
    }
    Ok(())
}
