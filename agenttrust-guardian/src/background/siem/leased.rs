//! A destination that this replica has the lease of, and what is known of it.

use std::time::Duration;

use agenttrust::Timestamp;

use super::FOLLOWED_EVERY;
use super::backlog::{Backlog, Cursors, Subscription};
use super::set_aside_lines::SetAsideLines;
use crate::audit::AuditError;
use crate::background::backoff::ASKED_EVERY;
use crate::engine::Engine;
use crate::siem::Filter;
use crate::store::{DestinationRow, SiemStanding};

/// The number of events in a row that a receiver may refuse for good before its destination counts as failing.
const REFUSED_MOST: usize = 10;

/// Returns whether the receiver answered last, and took nothing: it is not asked at full speed again for a restart.
fn refuses_all(row: &DestinationRow) -> bool {
    row.failing_since.is_some() && row.last_status.is_some_and(|status| status < 500)
}

/// A destination that this replica has the lease of.
pub(super) struct LeasedDestination {
    pub(super) row: DestinationRow,
    pub(super) backlog: Backlog,
    /// The subscription of the destination; or why its filter cannot be read.
    pub(super) subscription: Result<Subscription, String>,
    /// The time when the lease is to be renewed.
    pub(super) renewed_at: Timestamp,
    /// The time until which nothing is sent, by the clock of this Guardian.
    pub(super) put_off_until: Option<Timestamp>,
    /// The time since which something is to be sent that is not held any more.
    pub(super) backlog_since: Option<Timestamp>,
    /// The time when the place in the logs was last kept.
    pub(super) kept_at: Timestamp,
    /// The number of events that the receiver refused for good since it took one.
    pub(super) refused: usize,
    /// The lines of the log on events that were set aside.
    pub(super) set_aside_lines: SetAsideLines,
}

impl LeasedDestination {
    pub(super) fn new(row: DestinationRow, cursors: Cursors, now: Timestamp) -> Self {
        let subscription = Filter::parse(&row.event_types).map_err(|error| error.to_string());
        let subscription = subscription.map(|filter| Subscription {
            org_id: row.org_id.clone(),
            filter,
            format: row.format,
        });
        // A clock that was ahead when that was written keeps nobody waiting for longer.
        let wait = now.until(row.next_at).min(ASKED_EVERY);
        Self {
            backlog: Backlog::after(cursors),
            subscription,
            renewed_at: now,
            put_off_until: (!wait.is_zero()).then(|| now.saturating_add(wait)),
            backlog_since: None,
            kept_at: now,
            refused: if refuses_all(&row) { REFUSED_MOST } else { 0 },
            set_aside_lines: SetAsideLines::default(),
            row,
        }
    }

    pub(super) fn batch_size(&self) -> usize {
        usize::try_from(self.row.batch_size).unwrap_or(1).max(1)
    }

    pub(super) fn flush(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.row.flush_seconds).unwrap_or(1))
    }

    /// Returns whether the receiver refuses everything, as far as it was asked, if it refuses `more` events too.
    pub(super) fn refuses_all(&self, more: usize) -> bool {
        self.refused.saturating_add(more) >= REFUSED_MOST
    }

    /// Takes over how it stands. Where it is put off, what is owed is read again when it is time, and not held
    /// meanwhile.
    pub(super) fn stands_as(&mut self, standing: SiemStanding, now: Timestamp) {
        match standing {
            SiemStanding::Took => {
                (self.row.attempts, self.row.failing_since) = (0, None);
                self.refused = 0;
            }
            SiemStanding::Refused => {}
            SiemStanding::PutOff(until) => {
                self.row.attempts = self.row.attempts.saturating_add(1);
                self.row.failing_since.get_or_insert(now);
                self.backlog_since = self.backlog.since().or(self.backlog_since);
                self.backlog.unread();
                self.put_off_until = Some(until);
            }
        }
    }

    /// Returns how long it is put off for, if it is.
    pub(super) fn is_put_off(&mut self, now: Timestamp) -> Option<Duration> {
        let left = now.until(self.put_off_until?);
        if left.is_zero() {
            (self.put_off_until, self.backlog_since) = (None, None);
            return None;
        }
        Some(left)
    }

    /// Looks since when something is owed, while it is put off.
    pub(super) async fn peek(
        &mut self,
        engine: &Engine,
        heads: &Cursors,
        now: Timestamp,
    ) -> Result<(), AuditError> {
        if let (None, Ok(subscription)) = (self.backlog_since, &self.subscription) {
            self.backlog.look(&engine.reading_store, heads, subscription, (1, now)).await?;
            self.backlog_since = self.backlog.since();
            // Rows that it does not want are not looked at again.
            if self.backlog_since.is_some() {
                self.backlog.unread();
            }
        }
        self.stands(engine);
        Ok(())
    }

    /// Returns when the rows are to be read that wait for it, where they are no batch before; `None` where none wait so.
    pub(super) fn reads_at(&self, engine: &Engine) -> Option<Timestamp> {
        // Rows of other replicas are seen a while after they were written.
        let late = if engine.settings.has_replicas { FOLLOWED_EVERY } else { Duration::ZERO };
        let waits = self.flush().saturating_sub(late);
        Some(self.backlog.unread_since()?.saturating_add(waits))
    }

    /// Reads on, where that may make something due; returns how many rows are left to be looked at.
    pub(super) async fn look(
        &mut self,
        engine: &Engine,
        heads: &Cursors,
        most: usize,
        now: Timestamp,
    ) -> Result<usize, AuditError> {
        let unseen = self.backlog.unseen(heads);
        self.backlog.sees(unseen, now);
        let holds = self.backlog.events().len();
        let is_time = self.reads_at(engine).is_none_or(|at| at <= now);
        let may_be_due = (holds == 0 && is_time)
            || holds.saturating_add(unseen) >= most
            || self.backlog.is_due(most, self.flush(), now);
        let Ok(subscription) = &self.subscription else { return Ok(0) };
        if unseen == 0 || !may_be_due || self.backlog.is_full(most) {
            return Ok(unseen);
        }
        self.backlog.look(&engine.reading_store, heads, subscription, (most, now)).await?;
        Ok(self.backlog.unseen(heads))
    }

    pub(super) fn stands(&self, engine: &Engine) {
        // Rows that were not read yet may be owed.
        let since = self.backlog.since().or(self.backlog_since).or(self.backlog.unread_since());
        engine.siem.stands(&self.row.id, since, self.row.failing_since.is_some());
    }
}
