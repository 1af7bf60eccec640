//! The one task that writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::WRITE_TIMEOUT;
use super::chain::Link;
use super::commands::{Accept, Verify};
use super::counting;
use super::error::AuditError;
use super::facts::FactsDigest;
use super::fault::Fault;
use super::head::{self, Head};
use super::outage::Outage;
use super::record::Row;
use super::shared::{Message, Shared, Waiting, WriterEnd};
use super::signing::Signing;
use super::tail;
use crate::clock::Clock;
use crate::domain::DEFAULT_ORG;
use crate::store::{ColumnKind, Db, Insert, Rows, Transaction};

/// The largest number of rows of one transaction.
const BATCH: usize = 512;
/// ... and at least, however slow the database is.
const BATCH_LEAST: usize = 8;

/// Said where a trigger or a rule of the database drops rows.
const TAKES_NOT_ALL: &str =
    "it takes a row and does not keep it; look for a trigger or a rule on the table audit";

static INSERT: Insert = Insert {
    into: "audit",
    alike: &[("log", ColumnKind::Text), ("at", ColumnKind::Text)],
    columns: &[
        ("seq", ColumnKind::Int),
        ("kind", ColumnKind::Text),
        ("org_id", ColumnKind::Text),
        ("agent_id", ColumnKind::Text),
        ("actor", ColumnKind::Text),
        ("body", ColumnKind::Text),
        ("prev_hash", ColumnKind::Hash),
        ("hash", ColumnKind::Hash),
    ],
    unless_in: "",
};

pub(super) struct Writer {
    db: Db,
    /// The name of the log that it writes.
    log: String,
    clock: Arc<Clock>,
    messages: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
    /// The last row that this writer committed, or found at the start.
    last: watch::Sender<Head>,
    signing: Option<Signing>,
    /// The rows that `enqueue` took and that could not be written yet.
    backlog: Vec<Waiting>,
    /// The largest number of rows of one transaction at present: fewer while the database is slow.
    most: usize,
    /// The outage in which nothing can be written.
    outage: Option<Outage>,
    /// The commit that the database has not answered, if there is one.
    uncertain_commit: Option<UncertainCommit>,
}

/// A commit that the database did not answer, so that its rows may be in the log or not.
#[derive(Clone, Copy, Debug)]
struct UncertainCommit {
    /// The row before its first one, and its last one.
    before: Head,
    head: Head,
    /// The number of its rows that are in the backlog, at the front; `None` until the commit has failed.
    backlog: Option<usize>,
}

impl Writer {
    pub(super) fn new(
        db: Db,
        log: String,
        clock: Arc<Clock>,
        end: WriterEnd,
        signing: Option<Signing>,
    ) -> Self {
        let WriterEnd { messages, shared, last } = end;
        let (backlog, outage, uncertain_commit) = (Vec::new(), None, None);
        Self {
            db,
            log,
            clock,
            messages,
            shared,
            last,
            signing,
            backlog,
            most: BATCH,
            outage,
            uncertain_commit,
        }
    }

    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        loop {
            let ended = self.receive(&mut batch).await == Some(0);
            self.handle(&mut batch, &mut closing, ended).await;
            if ended {
                if !self.backlog.is_empty() {
                    tracing::error!(
                        rows = self.backlog.len(),
                        "the audit log closed with rows that it could not write"
                    );
                }
                // A commit that was not answered may have written more.
                let is_known = self.uncertain_commit.is_none() && self.shared.seen.get().is_none();
                if let Some(signing) = self.signing {
                    signing.end(is_known).await;
                }
                return;
            }
        }
    }

    /// Waits for messages; during an outage, or with a checkpoint to sign, only until that is due (`None`).
    async fn receive(&mut self, batch: &mut Vec<Message>) -> Option<usize> {
        let checkpoint = self.signing.as_ref().and_then(Signing::due_at);
        let retry = self.outage.as_ref().map(|outage| Instant::now() + outage.retry());
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
        let settled = match self.shared.seen.get() {
            Some(_) => Ok(()),
            None => timeout(WRITE_TIMEOUT, self.settle()).await.unwrap_or_else(|_| self.silent()),
        };
        let mut rows = std::mem::take(&mut self.backlog);
        let mut flushed = Vec::new();
        let mut compares = false;
        for message in batch.drain(..) {
            match message {
                Message::Write(row) => rows.push(row),
                Message::Flush(answer) => flushed.push(answer),
                Message::Compare(answer) => {
                    compares = true;
                    flushed.push(answer);
                }
                Message::FaultFound(fault, answer) => {
                    self.has_found(&fault);
                    flushed.push(answer);
                }
                Message::Close(answer) => {
                    self.messages.close();
                    closing.push(answer);
                }
            }
        }
        if compares && settled.is_ok() {
            self.look_at_end().await;
        }
        // Whatever is in its place now: an operator looks at it first.
        let seen = self.shared.seen.get().map(|last| last.tampered(&self.log));
        match seen.map_or(settled, Err) {
            Ok(()) => self.write(rows, ended).await,
            Err(error) => {
                // The file may have been full before.
                self.mark().await;
                self.give_back(error, rows);
            }
        }
        for answer in flushed {
            // Whoever no longer waits for the flush needs no answer.
            let _ = answer.send(());
        }
    }

    /// Writes rows in as many transactions as they take, and signs where that is due.
    async fn write(&mut self, mut rows: Vec<Waiting>, ended: bool) {
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
                return;
            }
            // The notice goes last: callers wait for the numbers of the rows before it.
            let all = rows.iter().map(|waiting| &waiting.row).chain(&resumed);
            let written = timeout(WRITE_TIMEOUT, self.commit(all, sign)).await;
            let first = match written.unwrap_or_else(|_| self.silent()) {
                Ok(first) => first,
                Err(error) => {
                    if let AuditError::Tampered { .. } = error {
                        self.has_seen().await;
                    }
                    let of_backlog = rows.iter().filter(|row| row.answer.is_none()).count();
                    if let Some(uncertain_commit) = &mut self.uncertain_commit {
                        uncertain_commit.backlog.get_or_insert(of_backlog);
                    }
                    rows.extend(later);
                    return self.give_back(error, rows);
                }
            };
            if is_last {
                self.succeeded();
            }
            self.most = (self.most * 2).min(BATCH);
            let count = rows.len() + usize::from(resumed.is_some());
            self.shared.written.fetch_add(count as u64, Ordering::Relaxed);
            for (seq, waiting) in (first..).zip(rows) {
                waiting.answer(Ok(seq));
            }
            if is_last {
                return;
            }
            rows = later;
        }
    }

    /// Answers the callers whose rows could not be written, and keeps the other rows for the next try.
    fn give_back(&mut self, error: AuditError, rows: Vec<Waiting>) {
        self.most = (self.most / 2).max(BATCH_LEAST);
        self.failed(&error, &rows);
        let (asked, backlog) = rows.into_iter().partition(|row| row.answer.is_some());
        self.backlog = backlog;
        for waiting in asked {
            waiting.answer(Err(error.clone()));
        }
    }

    /// Remembers for good that the log is not what was written, here and outside of the database.
    async fn has_seen(&mut self) {
        let last = *self.last.borrow();
        // What was seen first stays.
        let _ = self.shared.seen.set(last);
        self.mark().await;
    }

    /// Remembers the same for good because of what a walk along the log found.
    fn has_found(&self, fault: &Fault) {
        if self.shared.seen.set(*self.last.borrow()).is_ok() {
            tracing::error!(
                log = %self.log, row = fault.seq, what = %fault.what,
                "the audit log was changed from outside, so nothing is decided from now on; keep a copy of the database, \
                 run `{Verify}`, and `{}` to go on with it",
                Accept(&self.log)
            );
        }
    }

    /// Compares the end of the log with what this writer wrote. A database that does not answer tells nothing.
    async fn look_at_end(&mut self) {
        let compared = async {
            let mut transaction = self.db.begin().await.map_err(AuditError::unreadable)?;
            transaction.lock(&self.log).await.map_err(AuditError::unreadable)?;
            let head =
                Head::load(&mut transaction, &self.log).await.map_err(AuditError::unreadable)?;
            self.compare(&mut transaction, head).await?;
            let last = *self.last.borrow();
            // Behind a row of another Guardian's that this one did not sign after, it would not know the next one's.
            let is_shared = self.signing.as_ref().is_some_and(Signing::is_shared);
            if head != last && !is_shared {
                self.advance(head, u64::try_from(head.seq - last.seq).unwrap_or(0), false);
            }
            Ok(())
        };
        if let Ok(Err(AuditError::Tampered { .. })) = timeout(WRITE_TIMEOUT, compared).await {
            self.has_seen().await;
        }
    }

    /// Finds out whether the log ends with the last row of this writer, as it was written, or with rows that others may
    /// have added to it.
    async fn compare(
        &mut self,
        transaction: &mut Transaction,
        head: Head,
    ) -> Result<(), AuditError> {
        let last = *self.last.borrow();
        if head == last {
            let excused = self.signing.as_ref().is_some_and(|signing| signing.excuses(head));
            let is_it = !head.is_row() || excused || head.is_there(transaction, &self.log).await?;
            return if is_it { Ok(()) } else { Err(head.tampered(&self.log)) };
        }
        let Some(signing) = &mut self.signing else {
            return last.still_stands(transaction, &self.log, (None, None)).await.map(drop);
        };
        let (key, log_id) = (signing.key.public(), signing.log_id());
        let from = match signing.excuses(last) {
            true => last,
            false => last.still_stands(transaction, &self.log, (Some(key), log_id)).await?,
        };
        if !signing.knows_its_rows(&self.db) {
            return Ok(());
        }
        if matches!(self.db, Db::Postgres(_))
            && tail::is_shared(transaction, &self.log, from, (key, log_id)).await?
        {
            signing.found_shared(&self.log);
            return Ok(());
        }
        let tail = tail::behind(transaction, &self.log, from, (&[key], log_id)).await?;
        match tail.unsigned {
            None if tail.head == head => Ok(()),
            None => Err(head.tampered(&self.log)),
            Some((seq, _)) => Err(Head { seq, ..head }.tampered(&self.log)),
        }
    }

    /// Marks outside of the database what was seen, until that is on disk.
    async fn mark(&mut self) {
        if let (Some(last), Some(signing)) = (self.shared.seen.get(), &mut self.signing) {
            signing.mark(*last).await;
        }
    }

    /// Gives up on a connection whose far end is silent: it may never say that it is gone.
    fn silent<T>(&mut self) -> Result<T, AuditError> {
        self.db.renew();
        Err(AuditError::Silent)
    }

    /// Finds out what became of a commit that was not answered, so that its rows are there once.
    async fn settle(&mut self) -> Result<(), AuditError> {
        let Some(UncertainCommit { before, head, backlog }) = self.uncertain_commit else {
            return Ok(());
        };
        let mut transaction = self.db.begin().await.map_err(AuditError::unwritable)?;
        // Held by the other one for as long as it may still be done.
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        let done = head.is_there(&mut transaction, &self.log).await?;
        self.uncertain_commit = None;
        if done {
            self.backlog.drain(..backlog.unwrap_or(0).min(self.backlog.len()));
            let rows = u64::try_from(head.seq - before.seq).unwrap_or(0);
            self.advance(head, rows, false);
            self.shared.written.fetch_add(rows, Ordering::Relaxed);
            if let Some(outage) = &mut self.outage {
                outage.was_written(before.seq + 1, head.seq);
            }
        }
        Ok(())
    }

    /// Writes rows in one transaction, and a checkpoint of them if asked to; returns the number of the
    /// first.
    ///
    /// The head is read inside it: another process (the command line, say) may have written in between.
    async fn commit<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Row>,
        sign: bool,
    ) -> Result<u64, AuditError> {
        let at = self.now();
        let rows: Vec<&Row> = rows.collect();
        let (facts, digests) = self.untold(&rows);
        if !sign && !counting::is_needed(&rows) {
            let all = facts.iter().copied().chain(rows.iter().copied());
            if let Some(before) = self.append(&at, all).await? {
                self.shared.told.add(digests);
                self.shared.written.fetch_add(facts.len() as u64, Ordering::Relaxed);
                return Ok(u64::try_from(before.seq).unwrap_or(0) + 1 + facts.len() as u64);
            }
        }
        let mut transaction = self.db.begin().await.map_err(AuditError::unwritable)?;
        // Should two replicas go by one name, they take turns.
        transaction.lock(&self.log).await.map_err(AuditError::unwritable)?;
        let before =
            Head::load(&mut transaction, &self.log).await.map_err(AuditError::unwritable)?;
        // Others that write into it see by a checkpoint behind their rows whose these are.
        let sign = sign || before != *self.last.borrow();
        if sign {
            self.compare(&mut transaction, before).await?;
        }
        let told = counting::count(&mut transaction, &self.log, &rows, self.clock.now()).await?;
        let all = facts.iter().copied().chain(rows).chain(&told);
        let head = self.insert_signed(&mut transaction, before, &at, (all, sign)).await?;
        self.uncertain_commit = Some(UncertainCommit { before, head, backlog: None });
        transaction.commit().await.map_err(AuditError::unwritable)?;
        self.uncertain_commit = None;
        self.advance(head, u64::try_from(head.seq - before.seq).unwrap_or(0), sign);
        let more = facts.len() + told.len();
        self.shared.told.add(digests);
        self.shared.written.fetch_add(more as u64, Ordering::Relaxed);
        self.shared.bursts.fetch_add(told.len() as u64, Ordering::Relaxed);
        Ok(u64::try_from(before.seq).unwrap_or(0) + 1 + facts.len() as u64)
    }

    /// Returns the facts that these rows refer to and that have no row yet, each once.
    fn untold<'a>(&self, rows: &[&'a Row]) -> (Vec<&'a Row>, HashSet<FactsDigest>) {
        let mut digests = HashSet::new();
        let facts = rows.iter().flat_map(|row| &row.facts);
        let untold =
            facts.filter(|(digest, _)| !self.shared.told.knows(*digest) && digests.insert(*digest));
        (untold.map(|(_, row)| row).collect(), digests)
    }

    /// Writes rows by one statement that is its own transaction, if the log still ends where this writer left it;
    /// returns where that was. Where a closer look is needed, and on PostgreSQL, it returns `None`.
    async fn append<'a>(
        &mut self,
        at: &str,
        rows: impl Iterator<Item = &'a Row>,
    ) -> Result<Option<Head>, AuditError> {
        let before = *self.last.borrow();
        if before.seq == 0 || !matches!(self.db, Db::Sqlite(_)) {
            return Ok(None);
        }
        let (inserted, head) = self.linked(before, at, rows);
        self.uncertain_commit = Some(UncertainCommit { before, head, backlog: None });
        let done = inserted.execute_if(&self.db, head::ENDS_WITH, &before.hash).await;
        let done = done.map_err(AuditError::unwritable)?;
        self.uncertain_commit = None;
        if done != Some(true) {
            return Ok(None);
        }
        self.advance(head, u64::try_from(head.seq - before.seq).unwrap_or(0), false);
        Ok(Some(before))
    }

    /// Adds rows after this head, and a checkpoint if asked to: of the last one, or of each that a command writes.
    /// Returns the new head.
    async fn insert_signed<'a>(
        &self,
        transaction: &mut Transaction,
        mut head: Head,
        at: &str,
        (rows, sign): (impl Iterator<Item = &'a Row>, bool),
    ) -> Result<Head, AuditError> {
        let Some(signing) = self.signing.as_ref().filter(|_| sign) else {
            return self.insert(transaction, head, at, rows).await;
        };
        let keep = |head| signing.sign(&self.log, head, at.to_owned());
        if signing.is_of_command() {
            for row in rows {
                head = self.insert(transaction, head, at, std::iter::once(row)).await?;
                keep(head).keep(transaction).await.map_err(AuditError::unwritable)?;
            }
            return Ok(head);
        }
        let head = self.insert(transaction, head, at, rows).await?;
        keep(head).keep(transaction).await.map_err(AuditError::unwritable)?;
        Ok(head)
    }

    /// Adds rows after this head, by one statement; returns the new one.
    async fn insert<'a>(
        &self,
        transaction: &mut Transaction,
        head: Head,
        at: &str,
        rows: impl Iterator<Item = &'a Row>,
    ) -> Result<Head, AuditError> {
        let (before, (inserted, head)) = (head, self.linked(head, at, rows));
        let written = inserted.execute(transaction).await.map_err(AuditError::unwritable)?;
        if i64::try_from(written).ok() != Some(head.seq - before.seq) {
            return Err(AuditError::unwritable(sqlx::Error::Protocol(TAKES_NOT_ALL.to_owned())));
        }
        Ok(head)
    }

    /// Returns rows as they follow this head, each bound to the one before it; and the head that they make.
    fn linked<'a>(
        &self,
        mut head: Head,
        at: &str,
        rows: impl Iterator<Item = &'a Row>,
    ) -> (Rows, Head) {
        let alike = [self.log.as_str().into(), at.into()];
        let mut inserted = Rows::with_capacity(&INSERT, alike, rows.size_hint().0);
        let mut kinds: HashMap<&str, Arc<str>> = HashMap::new();
        for row in rows {
            let seq = head.seq + 1;
            let link = Link {
                seq,
                prev_hash: &head.hash,
                at,
                kind: row.kind,
                org_id: &row.org_id,
                agent_id: row.agent_id.as_deref(),
                actor: row.actor.as_deref(),
                body: &row.body,
            };
            let hash = link.hash();
            inserted.push([
                seq.into(),
                (&*kinds.entry(row.kind).or_insert_with(|| row.kind.into())).into(),
                (&row.org_id).into(),
                (&row.agent_id).into(),
                (&row.actor).into(),
                (&row.body).into(),
                head.hash.into(),
                hash.into(),
            ]);
            head = Head { seq, hash };
        }
        (inserted, head)
    }

    /// Remembers that the log has come this far.
    fn advance(&mut self, head: Head, rows: u64, is_signed: bool) {
        self.last.send_replace(head);
        if let Some(signing) = &mut self.signing {
            signing.committed(rows, is_signed);
        }
    }

    /// Returns the time, always with six decimals, so that the text sorts as the time does.
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
        self.shared.healthy.store(true, Ordering::Release);
    }

    fn failed(&mut self, error: &AuditError, rows: &[Waiting]) {
        self.shared.healthy.store(false, Ordering::Release);
        let refused = rows.iter().filter(|waiting| waiting.answer.is_some()).count() as u64;
        match &mut self.outage {
            Some(outage) => outage.goes_on(refused),
            None => {
                tracing::error!(%error, "the audit log cannot be written, so checks are denied");
                let org_id = rows.first().map_or_else(
                    || DEFAULT_ORG.to_owned(),
                    |waiting| waiting.row.org_id.to_string(),
                );
                self.outage = Some(Outage::begin(self.now(), org_id, refused));
            }
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
