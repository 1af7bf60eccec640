//! What a destination is owed next: read page by page from the logs, and never more of it held than one batch.
//!
//! The rows of one log go in their order. Rows of several logs, which replicas write, are put in the order of their
//! times, as far as they are known when they are read. A replica whose rows arrive late is not waited for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use agenttrust::{Timestamp, background};

use crate::audit::{self, AuditError, Readable};
use crate::clock::before;
use crate::domain::EventFormat;
use crate::siem::{self, Filter, SiemEvent};
use crate::store::Store;

/// The number of rows of a log that are read at once.
const PAGE: u32 = 200;
/// The largest number of rows that one look goes through, so that a lease is renewed in between.
const LOOKED_AT_MOST: usize = 2_000;
/// The largest number of bytes of events that are held.
const BYTES_MOST: usize = 4 << 20;
/// The time that the database may take for a page.
const PAGE_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of a row for each log, by its name.
pub(super) type Cursors = BTreeMap<String, i64>;

/// The rows that a destination is subscribed to, and the format that it gets them in.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) org_id: String,
    pub(super) filter: Filter,
    pub(super) format: EventFormat,
}

/// The place of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) log: String,
    pub(super) seq: i64,
}

/// A row that cannot be sent, and why.
#[derive(Clone, Debug)]
pub(super) struct Unsendable {
    pub(super) place: Place,
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) reason: String,
}

/// The events that a destination is to be sent next.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The place in each log up to which all is sent, as the database has it.
    kept: Cursors,
    /// The place in each log up to which it was looked at.
    looked: Cursors,
    events: Vec<SiemEvent>,
    places: Vec<Place>,
    bytes: usize,
    /// The row after all of these. None is read beyond it.
    unsendable: Option<Unsendable>,
    /// The time when the oldest of them was written, or was seen if that is earlier: a clock may have gone back.
    since: Option<Timestamp>,
    /// The number of rows that were looked at and are not kept as such yet.
    rows_looked: usize,
    /// Whether it held nothing once all rows that there were had been looked at, and holds nothing since.
    is_idle: bool,
    /// The time when the first row was seen that came since then.
    unread_since: Option<Timestamp>,
}

impl Backlog {
    /// Returns what is owed after these rows; nothing of it is read yet.
    pub(super) fn after(kept: Cursors) -> Self {
        Self { looked: kept.clone(), kept, ..Self::default() }
    }

    /// Returns up to where nothing is owed, as the database has it.
    pub(super) fn kept(&self) -> &Cursors {
        &self.kept
    }

    /// Takes back what was read.
    pub(super) fn unread(&mut self) {
        *self = Self::after(std::mem::take(&mut self.kept));
    }

    pub(super) fn events(&self) -> &[SiemEvent] {
        &self.events
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn unsendable(&self) -> Option<&Unsendable> {
        self.unsendable.as_ref()
    }

    /// Returns since when something is owed.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Returns how many rows there are that were not looked at.
    pub(super) fn unseen(&self, heads: &Cursors) -> usize {
        let unseen = heads.iter().map(|(log, head)| (head - self.seen(log)).max(0));
        usize::try_from(unseen.fold(0, i64::saturating_add)).unwrap_or(usize::MAX)
    }

    /// Takes over at `now` that there are so many rows that were not looked at.
    pub(super) fn sees(&mut self, unseen: usize, now: Timestamp) {
        let holds = !self.events.is_empty() || self.unsendable.is_some();
        self.is_idle = !holds && (unseen == 0 || self.is_idle);
        self.unread_since = match self.unread_since {
            _ if unseen == 0 || !self.is_idle => None,
            // A clock may have gone back.
            since => Some(since.unwrap_or(now).min(now)),
        };
    }

    /// Returns since when rows wait to be looked at, where it holds nothing and had looked at all before them. Nothing
    /// can be due before the first of them is.
    pub(super) fn unread_since(&self) -> Option<Timestamp> {
        self.unread_since
    }

    /// Counts rows that were looked at and that the destination does not want, and whose place is not kept yet.
    pub(super) fn passed_over(&self) -> usize {
        if self.events.is_empty() && self.unsendable.is_none() { self.rows_looked } else { 0 }
    }

    /// Returns whether it holds as much as is sent at once.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.events.len() >= most || self.bytes >= BYTES_MOST || self.unsendable.is_some()
    }

    fn seen(&self, log: &str) -> i64 {
        self.looked.get(log).copied().unwrap_or(0)
    }

    /// Reads on until `most` events are held, or nothing more is there.
    ///
    /// # Errors
    ///
    /// Those of the audit, where the database does not answer. What was read before is held.
    pub(super) async fn look(
        &mut self,
        reading: &Store,
        heads: &Cursors,
        subscription: &Subscription,
        (most, now): (usize, Timestamp),
    ) -> Result<(), AuditError> {
        let mut pages: Vec<Page> = heads
            .iter()
            .filter(|(log, head)| **head > self.seen(log))
            .map(|(log, head)| Page::after(log, self.seen(log), *head))
            .collect();
        let mut rows = 0;
        while rows < LOOKED_AT_MOST && !self.is_full(most) {
            for page in &mut pages {
                page.fill(reading).await?;
            }
            let Some(page) = earliest(&mut pages) else { break };
            let Some(row) = page.rows.pop_front() else { break };
            rows += 1;
            self.take(&page.log, row, subscription, now);
        }
        for page in pages {
            if page.rows.is_empty() && page.after >= page.head {
                // What is missing at its end, if anything is, does not come any more.
                self.looked.insert(page.log, page.after);
            }
        }
        self.rows_looked = self.rows_looked.saturating_add(rows);
        // Of rows that are left it is not known when they came.
        (self.is_idle, self.unread_since) = (false, None);
        self.sees(self.unseen(heads), now);
        Ok(())
    }

    fn take(&mut self, log: &str, row: Readable, subscription: &Subscription, now: Timestamp) {
        let (at, kind, seq, encoded) = match row {
            Ok(entry) => {
                let seq = i64::try_from(entry.seq).unwrap_or(i64::MAX);
                self.looked.insert(log.to_owned(), seq);
                if entry.org_id != subscription.org_id || !subscription.filter.admits(&entry) {
                    return;
                }
                let encoded = siem::encode(&entry, subscription.format);
                (entry.at, entry.kind, seq, encoded.map_err(|error| error.to_string()))
            }
            Err((seq, error)) => {
                let seq = i64::try_from(seq).unwrap_or(i64::MAX);
                self.looked.insert(log.to_owned(), seq);
                (String::new(), String::new(), seq, Err(error.to_string()))
            }
        };
        let place = Place { log: log.to_owned(), seq };
        let written = at.parse().unwrap_or(now);
        self.since.get_or_insert(written.min(now));
        match encoded {
            Ok(event) => {
                self.bytes += event.json.len();
                self.events.push(event);
                self.places.push(place);
            }
            Err(reason) => self.unsendable = Some(Unsendable { place, at, kind, reason }),
        }
    }

    /// Returns whether it is to be sent at `now`: it is as much as is sent at once, or has waited for so long.
    pub(super) fn is_due(&self, most: usize, flush: Duration, now: Timestamp) -> bool {
        let has_waited = self.since.is_some_and(|since| since <= before(now, flush));
        self.is_full(most) || has_waited
    }

    /// Returns the cursors to keep once the first `sent` events need not be sent any more: those that differ from what
    /// is kept.
    pub(super) fn cursors_after(&self, sent: usize) -> Vec<(String, i64)> {
        let mut cursors = self.looked.clone();
        let left = self.places.get(sent..).unwrap_or_default();
        let last = self.unsendable.as_ref().filter(|_| !left.is_empty());
        // Of each log the first that is left decides.
        for place in left.iter().chain(last.map(|last| &last.place)).rev() {
            cursors.insert(place.log.clone(), place.seq.saturating_sub(1));
        }
        cursors.retain(|log, seq| self.kept.get(log) != Some(seq));
        cursors.into_iter().collect()
    }

    /// Takes over that this is kept.
    pub(super) fn sent(&mut self, sent: usize, cursors: Vec<(String, i64)>, now: Timestamp) {
        self.kept.extend(cursors);
        self.rows_looked = 0;
        self.events.drain(..sent.min(self.events.len()));
        self.places.drain(..sent.min(self.places.len()));
        self.bytes = self.events.iter().map(|event| event.json.len()).sum();
        if self.events.is_empty() {
            self.unsendable = None;
        }
        // What is left came no earlier than what went.
        self.since = match (self.events.first(), self.since) {
            (Some(first), Some(since)) => Some(first.at.max(since).min(now)),
            _ => None,
        };
    }
}

/// Rows of a log that were read and not looked at.
struct Page {
    log: String,
    rows: VecDeque<Readable>,
    /// The last that was read.
    after: i64,
    /// The last that there is.
    head: i64,
}

impl Page {
    fn after(log: &str, after: i64, head: i64) -> Self {
        Self { log: log.to_owned(), rows: VecDeque::new(), after, head }
    }

    /// Reads the next rows, once those before them were looked at.
    async fn fill(&mut self, reading: &Store) -> Result<(), AuditError> {
        if !self.rows.is_empty() || self.after >= self.head {
            return Ok(());
        }
        let page = async {
            let _place = reading.place().await;
            audit::list_each(&reading.db(), &self.log, self.after, PAGE).await
        };
        let page = background::timeout(PAGE_READ_TIMEOUT, page).await;
        self.rows = page.map_err(|_| AuditError::unreadable(sqlx::Error::PoolTimedOut))??.into();
        self.after = self.rows.back().map_or(self.head, seq_of);
        Ok(())
    }

    /// Returns when its next row was written. A row that cannot be read is out of the way at once.
    fn at(&self) -> Option<&str> {
        self.rows.front().map(|row| row.as_ref().map_or("", |entry| entry.at.as_str()))
    }
}

fn seq_of(row: &Readable) -> i64 {
    let seq = row.as_ref().map_or_else(|(seq, _)| *seq, |entry| entry.seq);
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Returns the one whose next row was written first.
fn earliest(pages: &mut [Page]) -> Option<&mut Page> {
    // All are written alike, in UTC and with six decimals.
    pages.iter_mut().filter(|page| !page.rows.is_empty()).min_by(|a, b| a.at().cmp(&b.at()))
}
