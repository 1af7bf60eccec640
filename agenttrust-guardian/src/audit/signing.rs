//! When a checkpoint is due, and where it goes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::checkpoint::{Checkpoint, CheckpointKind};
use super::checkpoint_file::CheckpointFile;
use super::head::Head;
use super::key::{AuditKey, PublicKey};
use super::notary::{Notary, Noting};
use crate::clock::Clock;

/// After how many rows a checkpoint is signed, and after how long if there was any row.
const EVERY_ROWS: u64 = 1_000;
const EVERY: Duration = Duration::from_secs(60);

/// What signs the checkpoints of a log.
#[derive(Debug)]
pub(crate) struct Signing {
    pub(super) key: AuditKey,
    /// Where it is noted outside of the database, until that begins.
    pub(super) file: Option<CheckpointFile>,
    noting: Option<Noting>,
    /// The identity of the log, once that is known.
    log_id: Option<String>,
    /// Whether it is marked that the log was changed.
    is_marked: bool,
    /// How many rows no checkpoint covers yet, and since when.
    uncovered: u64,
    since: Option<Instant>,
    /// Whether one was signed since the start.
    begun: bool,
}

impl Signing {
    pub(crate) fn new(key: AuditKey, file: Option<CheckpointFile>) -> Self {
        let (noting, log_id, is_marked) = (None, None, false);
        Self { key, file, noting, log_id, is_marked, uncovered: 0, since: None, begun: false }
    }

    /// Signs for the log of this identity from here on, and notes outside of the database how far it has come.
    pub(super) fn begin(
        &mut self,
        log: &str,
        log_id: String,
        clock: &Arc<Clock>,
        reached: watch::Receiver<Head>,
    ) {
        self.log_id = Some(log_id.clone());
        let Some(file) = self.file.take() else { return };
        let (key, log, clock) = (self.key.clone(), log.to_owned(), Arc::clone(clock));
        let failing = AtomicBool::new(false);
        self.noting =
            Some(Noting::begin(Notary { file, key, log, log_id, clock, failing }, reached));
    }

    /// Marks outside of the database, once, that the log is not what was written up to this row.
    pub(super) async fn mark(&mut self, head: Head) {
        if let Some(noting) = &self.noting
            && !self.is_marked
        {
            self.is_marked = noting.mark(head).await;
        }
    }

    /// The key, and the identity of the log, that a cut of it has to be signed with.
    pub(super) fn signs_as(&self) -> (Option<PublicKey>, Option<&str>) {
        (Some(self.key.public()), self.log_id.as_deref())
    }

    /// Has the end of the log noted.
    pub(super) async fn end(self) {
        if let Some(noting) = self.noting {
            noting.end().await;
        }
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
        let of = (log, self.log_id.as_deref());
        Checkpoint::sign(&self.key, CheckpointKind::Reached, of, (head.seq, head.hash), at)
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
