//! The one who writes reports: whatever waits, in transactions of many rows.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use serde::Serialize;

use super::queue::{Batch, Queue};
use crate::audit::{AuditError, AuditLog, Row};
use crate::domain::Quota;
use crate::metrics::Reported;
use crate::store::{Db, EventRow, Kept, ReportStage, believed_events, keep_events};

/// The number of rows of one transaction, at least one batch.
const ROWS: usize = 1_000;
/// The time that one transaction may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that a batch waits for its outcomes to have their place in the audit.
const OUTCOMES_WITHIN: Duration = Duration::from_millis(500);
/// The number of outcomes that may wait for it before no more reports are taken.
const BACKLOG_MOST: usize = 10_000;
/// The longest that others are given to write, after a transaction.
const GIVES_WAY: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    db: Db,
    queue: Arc<Queue>,
    quota: Arc<Quota>,
    audit: AuditLog,
    reported: Reported,
    /// The ends of calls that the audit does not have yet.
    backlog: VecDeque<EventRow>,
    /// The rows that may be kept, or not: their commit was asked for and not answered.
    in_doubt: Vec<EventRow>,
}

impl Writer {
    pub(super) fn new(
        db: Db,
        queue: Arc<Queue>,
        quota: Arc<Quota>,
        audit: AuditLog,
        reported: Reported,
    ) -> Self {
        let (backlog, in_doubt) = (VecDeque::new(), Vec::new());
        Self { db, queue, quota, audit, reported, backlog, in_doubt }
    }

    pub(super) async fn run(mut self) {
        loop {
            let next = if self.backlog.is_empty() && self.in_doubt.is_empty() {
                Ok(self.queue.next(ROWS).await)
            } else {
                background::timeout(OUTCOMES_WITHIN, self.queue.next(ROWS)).await
            };
            let batches = match next {
                Ok(Some(batches)) => batches,
                Ok(None) => break,
                // Nothing new, and something in the backlog.
                Err(_) => Vec::new(),
            };
            let begun = Instant::now();
            self.write(batches).await;
            while self.backlog.len() > BACKLOG_MOST && self.audit.is_healthy() {
                self.tell_audit().await;
            }
            if matches!(self.db, Db::Sqlite(_)) {
                // There one writes at a time, and those who wait look for their turn now and then.
                background::sleep(begun.elapsed().min(GIVES_WAY)).await;
            }
        }
        if let Err(error) = self.settle_doubt().await {
            tracing::error!(%error, "this Guardian ends without knowing whether its last reports are kept");
        }
        self.tell_audit().await;
        if !self.backlog.is_empty() {
            tracing::error!(
                rows = self.backlog.len(),
                "this Guardian ends with outcomes that it could not write to the audit log; the reports \
                 themselves are kept"
            );
        }
        // Its connection first: the last one of a file moves what is left of the write-ahead log.
        let Self { db, queue, .. } = self;
        drop(db);
        queue.end();
    }

    /// Writes these together; when the database refuses that, each by itself, so that one that it cannot
    /// keep takes no other along.
    async fn write(&mut self, batches: Vec<Batch>) {
        // Who gave up may have sent it again. What proves itself is believed once, so it is kept anyway.
        let (batches, given_up): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| batch.is_verified() || !batch.is_given_up());
        for batch in given_up {
            self.quota.give_back(&batch.agent_id, batch.len());
            batch.answer(None);
        }
        if let Err(error) = self.settle_doubt().await {
            return self.refuse(batches, &error);
        }
        if batches.is_empty() {
            self.tell_audit().await;
            return;
        }
        match self.keep_and_answer(batches).await {
            Ok(()) => {}
            Err((batches, sqlx::Error::Database(_))) if batches.len() > 1 => {
                for batch in batches {
                    if let Err((alone, error)) = self.keep_and_answer(vec![batch]).await {
                        self.refuse(alone, &error);
                    }
                }
            }
            Err((batches, error)) => self.refuse(batches, &error),
        }
    }

    /// Keeps these together and answers them; gives them back where the database would not.
    async fn keep_and_answer(
        &mut self,
        batches: Vec<Batch>,
    ) -> Result<(), (Vec<Batch>, sqlx::Error)> {
        let counts = match self.keep(&batches).await {
            Ok(kept) => self.told(&batches, &kept).await,
            Err(error) => return Err((batches, error)),
        };
        for (batch, count) in batches.into_iter().zip(counts) {
            batch.answer(Some(count));
        }
        Ok(())
    }

    async fn keep<'a>(&mut self, batches: &'a [Batch]) -> Result<Vec<Kept<'a>>, sqlx::Error> {
        let events = batches.iter().flat_map(|batch| &batch.events);
        let keep = keep_events(&self.db, events, &self.quota, &mut self.in_doubt);
        match background::timeout(TRANSACTION_TIMEOUT, keep).await {
            Ok(kept) => kept,
            Err(_) => Err(self.silent()),
        }
    }

    /// Finds out what became of a commit that was not answered. The sender of these reports sends them again, and then
    /// learns which calls were reported before.
    async fn settle_doubt(&mut self) -> Result<(), sqlx::Error> {
        if self.in_doubt.is_empty() {
            return Ok(());
        }
        let looked = believed_events(&self.db, self.in_doubt.clone());
        let believed = match background::timeout(TRANSACTION_TIMEOUT, looked).await {
            Ok(believed) => believed?,
            Err(_) => return Err(self.silent()),
        };
        self.in_doubt.clear();
        self.reported.kept(believed.len() as u64, believed.len() as u64);
        self.backlog
            .extend(believed.into_iter().filter(|event| event.stage == Some(ReportStage::End)));
        Ok(())
    }

    /// Gives up on a connection whose far end is silent: it may never say that it is gone.
    fn silent(&mut self) -> sqlx::Error {
        self.db.renew();
        sqlx::Error::PoolTimedOut
    }

    /// Tells the audit what became of the calls, and then how many events of each batch were kept.
    async fn told(&mut self, batches: &[Batch], kept: &[Kept<'_>]) -> Vec<u64> {
        let believed = kept.iter().filter(|kept| kept.believed).map(|kept| kept.event);
        self.reported.kept(kept.len() as u64, believed.clone().count() as u64);
        let asked: usize = batches.iter().map(Batch::len).sum();
        self.reported.not_kept(asked.saturating_sub(kept.len()));
        let ended = believed.filter(|event| event.stage == Some(ReportStage::End));
        self.backlog.extend(ended.cloned());
        // Before the answer, so that who reads the audit after it finds them.
        self.tell_audit().await;
        let mut kept: HashSet<&str> = kept.iter().map(|kept| &*kept.event.id).collect();
        let counts = batches.iter().map(|batch| {
            batch.events.iter().filter(|event| kept.remove(&*event.id)).count() as u64
        });
        counts.collect()
    }

    fn refuse(&self, batches: Vec<Batch>, error: &sqlx::Error) {
        tracing::warn!(%error, "reports could not be kept; who sent them is told so");
        for batch in batches {
            if !batch.is_verified() {
                self.quota.give_back(&batch.agent_id, batch.len());
            }
            batch.answer(None);
        }
    }

    /// Hands the backlog over to the audit, for as long as a batch may wait for that.
    async fn tell_audit(&mut self) {
        let audit = self.audit.clone();
        let backlog = &mut self.backlog;
        let told = async {
            while let Some(event) = backlog.front() {
                let row = match outcome(event) {
                    Ok(row) => row,
                    Err(error) => {
                        tracing::error!(%error, id = &*event.id, "an outcome that is no row of the audit is left out");
                        backlog.pop_front();
                        continue;
                    }
                };
                // The log tells of its own trouble, and this is tried again.
                if audit.hand_over(row, false).await.is_err() {
                    return;
                }
                backlog.pop_front();
            }
        };
        // Dropped while it waits for its place, a record is not in the log, and still in the backlog.
        let _ = background::timeout(OUTCOMES_WITHIN, told).await;
    }
}

/// The largest whole number that every reader of JSON reads alike (RFC 8785, appendix B).
const EXACT_MOST: u64 = 1 << 53;

/// The body of a row of the kind `outcome`. Its members stand in the order of their names.
#[derive(Serialize)]
struct Outcome<'a> {
    check_id: Option<&'a str>,
    duration_ms: u64,
    error_type: Option<&'a str>,
    event_type: &'a str,
    session_id: &'a str,
    success: bool,
    tool: &'a str,
}

fn outcome(event: &EventRow) -> Result<Row, AuditError> {
    let body = Outcome {
        check_id: event.check_id.as_deref(),
        duration_ms: event.duration_ms.min(EXACT_MOST),
        error_type: event.error_type.as_deref(),
        event_type: &event.event_type,
        session_id: &event.session_id,
        success: event.success,
        tool: &event.tool,
    };
    let row = Row::from_body("outcome", &event.org_id, &body)?;
    Ok(row.agent(&event.agent_id).actor(&event.key_id))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
