//! Notes outside of the database how far a log has come: beside those who write it, so that no check waits for it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agenttrust::background;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::checkpoint::{Checkpoint, CheckpointKind};
use super::checkpoint_file::CheckpointFile;
use super::head::Head;
use super::key::AuditKey;
use crate::clock::Clock;

/// How long after a row it is noted: with the time that the file takes, rows are not covered for a second at most.
const PACE: Duration = Duration::from_millis(500);
/// How long until a file that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long news are waited for at a time.
const IDLE: Duration = Duration::from_secs(3_600);

/// Signs what is known of a log, into a file.
#[derive(Debug)]
pub(super) struct Notary {
    pub(super) file: CheckpointFile,
    pub(super) key: AuditKey,
    pub(super) log: String,
    pub(super) log_id: String,
    pub(super) clock: Arc<Clock>,
    /// Whether the last line could not be written, so that it is said once.
    pub(super) failing: AtomicBool,
}

impl Notary {
    /// Notes this of the log; `false` where that was not possible, which stops no check: the database has signed
    /// checkpoints, too.
    fn note(&self, says: CheckpointKind, head: Head) -> bool {
        let at = format!("{:.6}", self.clock.now());
        let of = (self.log.as_str(), Some(self.log_id.as_str()));
        let line = Checkpoint::sign(&self.key, says, of, (head.seq, head.hash), at);
        let path = self.file.path().display();
        match self.file.add(&line) {
            Ok(()) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%path, "the audit is noted outside of the database again");
                }
                true
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        %error, %path,
                        "the audit cannot be noted outside of the database: checks are decided on, and rows that are \
                         written from now on can be changed unseen once this Guardian was killed; make the file \
                         writable"
                    );
                }
                false
            }
        }
    }

    /// The same, off the threads that others wait for.
    async fn note_beside(self: &Arc<Self>, says: CheckpointKind, head: Head) -> bool {
        let notary = Arc::clone(self);
        let noted = background::handle().spawn_blocking(move || notary.note(says, head));
        noted.await.unwrap_or(false)
    }
}

/// A notary at work.
#[derive(Debug)]
pub(super) struct Noting {
    notary: Arc<Notary>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Noting {
    /// Notes from here on how far the log has come.
    pub(super) fn begin(notary: Notary, reached: watch::Receiver<Head>) -> Self {
        let notary = Arc::new(notary);
        let (stop, stopped) = oneshot::channel();
        let task = background::spawn(follow(Arc::clone(&notary), reached, stopped));
        Self { notary, stop, task }
    }

    /// Notes that the log is not what was written up to this row; returns whether that is on disk.
    pub(super) async fn mark(&self, head: Head) -> bool {
        let marked = self.notary.note_beside(CheckpointKind::Broken, head);
        background::timeout(PATIENCE, marked).await.unwrap_or(false)
    }

    /// Notes how far the log has come, and no more from then on.
    pub(super) async fn end(self) {
        let Self { stop, task, .. } = self;
        drop(stop);
        if background::timeout(PATIENCE, task).await.is_err() {
            tracing::error!(
                "the end of the audit could not be noted outside of the database in time"
            );
        }
    }
}

async fn follow(
    notary: Arc<Notary>,
    mut reached: watch::Receiver<Head>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut noted = *reached.borrow_and_update();
    loop {
        // What could not be noted is tried again without news.
        let wait = if noted == *reached.borrow() { IDLE } else { RETRY };
        let mut has_stopped = {
            let news = pin!(background::timeout(wait, reached.changed()));
            match select(news, &mut stopped).await {
                Either::Left((heard, _)) => matches!(heard, Ok(Err(_))),
                Either::Right(_) => true,
            }
        };
        has_stopped = has_stopped || background::timeout(PACE, &mut stopped).await.is_ok();
        let head = *reached.borrow_and_update();
        if head != noted && notary.note_beside(CheckpointKind::Reached, head).await {
            noted = head;
        }
        if has_stopped {
            return;
        }
    }
}
