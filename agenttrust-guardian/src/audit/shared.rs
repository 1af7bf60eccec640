//! What those who hold the log and its writer share.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::error::AuditError;
use super::facts::Told;
use super::head::Head;
use super::record::Row;

/// What the writer tells those who hold the log.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) healthy: AtomicBool,
    /// Bursts of denials told of since the start.
    pub(super) bursts: AtomicU64,
    /// Rows on disk since the start.
    pub(super) written: AtomicU64,
    /// The facts that have a row.
    pub(super) told: Told,
    /// The last row of this writer, once the log was seen to be another one than it had written.
    pub(super) seen: OnceLock<Head>,
}

#[derive(Debug)]
pub(super) enum Message {
    Write(Waiting),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A row on its way to the disk, and who waits for it to be there: no one when it was enqueued.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) row: Row,
    pub(super) answer: Option<oneshot::Sender<Result<u64, AuditError>>>,
    /// Its share of the bytes that may wait.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    pub(super) fn answer(self, result: Result<u64, AuditError>) {
        if let Some(answer) = self.answer {
            // A row whose caller is gone is written, or not, all the same.
            let _ = answer.send(result);
        }
    }
}

/// The writer's end of what it shares with those who hold the log.
pub(super) struct WriterEnd {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) last: watch::Sender<Head>,
}
