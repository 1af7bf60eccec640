//! What those who hold the log and its writer share.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::error::AuditError;
use super::facts::WrittenFacts;
use super::fault::Fault;
use super::head::Head;
use super::record::Row;

/// The state that the writer shares with those that hold the log.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) healthy: AtomicBool,
    /// The bursts of denials that were reported since the start.
    pub(super) bursts: AtomicU64,
    /// Rows on disk since the start.
    pub(super) written: AtomicU64,
    /// The facts that have a row.
    pub(super) told: WrittenFacts,
    /// The last row of this writer, once the log was seen to be another one than it had written.
    pub(super) seen: OnceLock<Head>,
}

#[derive(Debug)]
pub(super) enum Message {
    Write(Waiting),
    Flush(oneshot::Sender<()>),
    /// The request to compare the end of the log with what this writer wrote, whether or not there is anything to
    /// write.
    Compare(oneshot::Sender<()>),
    /// A walk along the log found this row, and what is wrong with it.
    FaultFound(Fault, oneshot::Sender<()>),
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

/// The writer's end of what it shares with the holders of the log.
pub(super) struct WriterEnd {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) last: watch::Sender<Head>,
}
