//! Notes outside of the database how far a log has come: beside those who write it, so that no check waits for it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agenttrust::background;
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::WRITE_TIMEOUT;
use super::checkpoint::{Checkpoint, CheckpointKind};
use super::checkpoint_file::CheckpointFile;
use super::commands::Verify;
use super::head::Head;
use super::key::AuditKey;
use crate::clock::Clock;

/// The time after a row until it is noted: with the time that the file takes, rows are not covered for a second at
/// most.
const PACE: Duration = Duration::from_millis(500);
/// The time until a file that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The time for which news are waited for at once.
const IDLE: Duration = Duration::from_secs(3_600);

/// The task that signs what is known of a log, into a file.
#[derive(Debug)]
pub(super) struct Notary {
    pub(super) file: CheckpointFile,
    pub(super) key: AuditKey,
    pub(super) log: String,
    pub(super) log_id: String,
    pub(super) clock: Arc<Clock>,
    pub(super) unwritten: Arc<UnwrittenCheckpoints>,
}

/// The checkpoints that could not be written to the file, so that the log has one line on each kind of them.
#[derive(Debug, Default)]
pub(super) struct UnwrittenCheckpoints {
    /// Whether the last line could not be written.
    reached: AtomicBool,
    /// Whether the log was seen changed, and the file does not have that yet.
    mark: AtomicBool,
}

impl UnwrittenCheckpoints {
    /// Returns whether the file lacks anything.
    pub(super) fn any(&self) -> bool {
        self.reached.load(Ordering::Relaxed) || self.mark.load(Ordering::Relaxed)
    }
}

impl Notary {
    /// Signs a checkpoint of the log and adds it to the file; `false` where that was not possible, which stops no
    /// check: the database has signed checkpoints, too.
    fn write_checkpoint(&self, says: CheckpointKind, head: Head) -> bool {
        let at = format!("{:.6}", self.clock.now());
        let of = (self.log.as_str(), Some(self.log_id.as_str()));
        let line = Checkpoint::sign(&self.key, says, of, (head.seq, head.hash), at);
        let added = self.file.add(&line);
        if says == CheckpointKind::Broken {
            self.say_of_mark(head, added.as_ref().err());
        } else {
            self.say_of_reached(added.as_ref().err());
        }
        added.is_ok()
    }

    fn say_of_reached(&self, failed: Option<&io::Error>) {
        let was_failing = self.unwritten.reached.swap(failed.is_some(), Ordering::Relaxed);
        let path = self.file.path().display();
        match failed {
            None if was_failing => {
                tracing::warn!(%path, "the audit is noted outside of the database again");
            }
            Some(error) if !was_failing => tracing::error!(
                %error, %path,
                "the audit cannot be noted outside of the database: checks are decided on, and rows that are \
                 written from now on can be changed unseen once this Guardian was killed; make the file \
                 writable"
            ),
            None | Some(_) => {}
        }
    }

    fn say_of_mark(&self, head: Head, failed: Option<&io::Error>) {
        let was_missing = self.unwritten.mark.swap(failed.is_some(), Ordering::Relaxed);
        let (path, row) = (self.file.path().display(), head.seq);
        match failed {
            None if was_missing => {
                tracing::warn!(%path, row, "that the audit log was changed is marked outside of the database now");
            }
            Some(error) if !was_missing => say_unmarked(
                &self.file,
                row,
                error,
                "it is tried again every second; make the file writable before this Guardian ends, or the next one may \
                 not know",
            ),
            None | Some(_) => {}
        }
    }

    /// Writes a checkpoint as [`Notary::write_checkpoint`] does, on a thread that no other task waits for.
    async fn write_checkpoint_off_thread(
        self: &Arc<Self>,
        says: CheckpointKind,
        head: Head,
    ) -> bool {
        let notary = Arc::clone(self);
        let written =
            background::handle().spawn_blocking(move || notary.write_checkpoint(says, head));
        written.await.unwrap_or(false)
    }

    /// Notes that the log is not what was written up to this row; returns whether that is on disk in time.
    async fn mark_in_time(self: &Arc<Self>, head: Head) -> bool {
        let marked = self.write_checkpoint_off_thread(CheckpointKind::Broken, head);
        background::timeout(WRITE_TIMEOUT, marked).await.unwrap_or_else(|_| {
            self.say_of_mark(head, Some(&io::ErrorKind::TimedOut.into()));
            false
        })
    }
}

/// A notary at work.
#[derive(Debug)]
pub(super) struct Noting {
    notary: Arc<Notary>,
    stop: oneshot::Sender<CheckpointKind>,
    task: JoinHandle<()>,
    /// A mark that was not written at once, and the task that tries again.
    marking: Option<(Head, JoinHandle<()>)>,
}

impl Noting {
    /// Notes from here on how far the log has come.
    pub(super) fn begin(notary: Notary, reached: watch::Receiver<Head>) -> Self {
        let notary = Arc::new(notary);
        let (stop, stopped) = oneshot::channel();
        let task = background::spawn(follow(Arc::clone(&notary), reached, stopped));
        Self { notary, stop, task, marking: None }
    }

    /// Notes that the log is not what was written up to this row; returns whether that is on disk. It is tried again
    /// by itself until it is.
    pub(super) async fn mark(&mut self, head: Head) -> bool {
        if let Some((_, marking)) = &self.marking {
            return marking.is_finished();
        }
        if self.notary.mark_in_time(head).await {
            return true;
        }
        let notary = Arc::clone(&self.notary);
        let marking = background::spawn(async move {
            loop {
                background::sleep(RETRY).await;
                if notary.write_checkpoint_off_thread(CheckpointKind::Broken, head).await {
                    return;
                }
            }
        });
        self.marking = Some((head, marking));
        false
    }

    /// Notes how far the log has come, with this word, and no more from then on.
    pub(super) async fn end(self, says: CheckpointKind) {
        let Self { notary, stop, task, marking } = self;
        // A task that is gone noted what it could.
        let _ = stop.send(says);
        if background::timeout(WRITE_TIMEOUT, task).await.is_err() {
            tracing::error!(
                "the end of the audit could not be noted outside of the database in time"
            );
        }
        let Some((head, marking)) = marking.filter(|(_, marking)| !marking.is_finished()) else {
            return;
        };
        marking.abort();
        if !notary.mark_in_time(head).await {
            tracing::error!(
                path = %notary.file.path().display(), row = head.seq,
                "this Guardian ends and saw that the audit log was changed from outside, which the file of checkpoints \
                 does not have: keep this line and a copy of the database, and run `{Verify}` before \
                 another Guardian is started on it"
            );
        }
    }
}

/// Says that the file cannot be added to when a log was seen changed, and what follows.
pub(super) fn say_unmarked(file: &CheckpointFile, row: i64, error: &io::Error, then: &str) {
    tracing::error!(
        %error, path = %file.path().display(), row,
        "the audit log was changed from outside, and that cannot be marked in the file of checkpoints: {then}"
    );
}

async fn follow(
    notary: Arc<Notary>,
    mut reached: watch::Receiver<Head>,
    mut stopped: oneshot::Receiver<CheckpointKind>,
) {
    let mut noted = *reached.borrow_and_update();
    loop {
        // What could not be noted is tried again without news.
        let wait = if noted == *reached.borrow() { IDLE } else { RETRY };
        let mut end = {
            let news = pin!(background::timeout(wait, reached.changed()));
            match select(news, &mut stopped).await {
                Either::Left((Ok(Err(_)), _)) => Some(CheckpointKind::Reached),
                Either::Left(_) => None,
                Either::Right((says, _)) => Some(says.unwrap_or(CheckpointKind::Reached)),
            }
        };
        if end.is_none() {
            let said = background::timeout(PACE, &mut stopped).await;
            end = said.ok().map(|says| says.unwrap_or(CheckpointKind::Reached));
        }
        let head = *reached.borrow_and_update();
        let says = end.unwrap_or(CheckpointKind::Reached);
        let is_news = head != noted || says == CheckpointKind::Closed;
        if is_news && notary.write_checkpoint_off_thread(says, head).await {
            noted = head;
        }
        if end.is_some() {
            return;
        }
    }
}
