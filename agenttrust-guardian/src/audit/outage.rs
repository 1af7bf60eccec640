//! A time in which nothing could be written: how long until the next try, and the record of it afterwards.

use std::time::Duration;

use agenttrust::internal::Backoff;

use super::record::{Record, Row};

/// The time to wait before an unwritable log is tried again.
const WAITS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Outage {
    pub(super) since: String,
    /// The organisation of the first record that was not written; the `audit.resumed` row goes there.
    org_id: String,
    pub(super) refused: u64,
    /// The first and the last row that turned out to be written although their callers got an error.
    written_unanswered: Option<(i64, i64)>,
    /// The number of tries that did not succeed, after the first.
    tries: u32,
}

impl Outage {
    pub(super) fn begin(since: String, org_id: String, refused: u64) -> Self {
        Self { since, org_id, refused, written_unanswered: None, tries: 0 }
    }

    /// Notes that these rows turned out to be written, although their callers got an error.
    pub(super) fn was_written(&mut self, first: i64, last: i64) {
        let (first_told, last_told) = self.written_unanswered.unwrap_or((first, last));
        self.written_unanswered = Some((first_told.min(first), last_told.max(last)));
    }

    /// Notes that another try did not succeed.
    pub(super) fn goes_on(&mut self, refused: u64) {
        self.refused += refused;
        self.tries = self.tries.saturating_add(1);
    }

    /// Returns how long to wait before the next try.
    pub(super) fn retry(&self) -> Duration {
        WAITS.wait(self.tries)
    }

    /// Returns the row that tells the gap.
    pub(super) fn resumed(&self) -> Option<Row> {
        let mut body = serde_json::json!({ "since": self.since, "refused": self.refused });
        if let (Some((first, last)), Some(body)) = (self.written_unanswered, body.as_object_mut()) {
            let rows = serde_json::json!({ "first": first, "last": last });
            body.insert("written_unanswered".to_owned(), rows);
        }
        Row::try_from(Record::new("audit.resumed", self.org_id.clone()).body(body)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_told_of_that_were_written_without_an_answer() {
        let mut outage = Outage::begin("2026-01-01T00:00:00Z".to_owned(), "org_1".to_owned(), 0);
        outage.was_written(10, 12);
        outage.was_written(13, 20);
        assert_eq!(outage.written_unanswered, Some((10, 20)));
    }
}
