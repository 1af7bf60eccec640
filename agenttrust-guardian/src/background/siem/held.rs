//! A destination that is this replica's to send to, and what is known of it.

use std::time::Duration;

use agenttrust::Timestamp;

use super::backlog::{Backlog, Cursors, Wanted};
use crate::audit::AuditError;
use crate::background::backoff::ASKED_EVERY;
use crate::engine::Engine;
use crate::siem::Filter;
use crate::store::{DestinationRow, SiemStanding};

/// How many events in a row a receiver may refuse for good before its destination counts as failing.
const REFUSED_MOST: usize = 10;

/// Whether the receiver answered last, and took nothing: it is not asked at full speed again for a restart.
fn refuses_all(row: &DestinationRow) -> bool {
    row.failing_since.is_some() && row.last_status.is_some_and(|status| status < 500)
}

/// A destination that is this replica's for a while.
pub(super) struct Held {
    pub(super) row: DestinationRow,
    pub(super) backlog: Backlog,
    /// What it wants; or what is wrong with what is kept of that.
    pub(super) wanted: Result<Wanted, String>,
    /// When the lease is to be renewed.
    pub(super) renewed_at: Timestamp,
    /// Until when nothing is sent, by the clock of this Guardian.
    pub(super) put_off_until: Option<Timestamp>,
    /// Since when something is owed that is not held any more.
    pub(super) owed_since: Option<Timestamp>,
    /// When it was last kept how far the logs were looked at.
    pub(super) kept_at: Timestamp,
    /// How many events the receiver refused for good since it took one.
    pub(super) refused: usize,
}

impl Held {
    pub(super) fn new(row: DestinationRow, cursors: Cursors, now: Timestamp) -> Self {
        let wanted = Filter::parse(&row.event_types).map_err(|error| error.to_string());
        let wanted =
            wanted.map(|filter| Wanted { org_id: row.org_id.clone(), filter, format: row.format });
        // A clock that was ahead when that was written keeps nobody waiting for longer.
        let wait = now.until(row.next_at).min(ASKED_EVERY);
        Self {
            backlog: Backlog::after(cursors),
            wanted,
            renewed_at: now,
            put_off_until: (!wait.is_zero()).then(|| now.saturating_add(wait)),
            owed_since: None,
            kept_at: now,
            refused: if refuses_all(&row) { REFUSED_MOST } else { 0 },
            row,
        }
    }

    pub(super) fn batch_size(&self) -> usize {
        usize::try_from(self.row.batch_size).unwrap_or(1).max(1)
    }

    pub(super) fn flush(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.row.flush_seconds).unwrap_or(1))
    }

    /// Whether the receiver refuses everything, as far as it was asked, if it refuses `more` events too.
    pub(super) fn refuses_all(&self, more: usize) -> bool {
        self.refused.saturating_add(more) >= REFUSED_MOST
    }

    /// Takes over how it stands. Where it is put off, what is owed is read again when it is time, and not held meanwhile.
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
                self.owed_since = self.backlog.since().or(self.owed_since);
                self.backlog.unread();
                self.put_off_until = Some(until);
            }
        }
    }

    /// How long it is put off for, if it is.
    pub(super) fn is_put_off(&mut self, now: Timestamp) -> Option<Duration> {
        let left = now.until(self.put_off_until?);
        if left.is_zero() {
            (self.put_off_until, self.owed_since) = (None, None);
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
        if let (None, Ok(wanted)) = (self.owed_since, &self.wanted) {
            self.backlog.look(&engine.reading_store, heads, wanted, (1, now)).await?;
            self.owed_since = self.backlog.since();
            // Rows that it does not want are not looked at again.
            if self.owed_since.is_some() {
                self.backlog.unread();
            }
        }
        self.stands(engine);
        Ok(())
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
        let holds = self.backlog.events().len();
        let may_be_due = holds == 0
            || holds.saturating_add(unseen) >= most
            || self.backlog.is_due(most, self.flush(), now);
        let Ok(wanted) = &self.wanted else { return Ok(0) };
        if unseen == 0 || !may_be_due || self.backlog.is_full(most) {
            return Ok(unseen);
        }
        self.backlog.look(&engine.reading_store, heads, wanted, (most, now)).await?;
        Ok(self.backlog.unseen(heads))
    }

    pub(super) fn stands(&self, engine: &Engine) {
        let since = self.backlog.since().or(self.owed_since);
        engine.siem.stands(&self.row.id, since, self.row.failing_since.is_some());
    }
}
