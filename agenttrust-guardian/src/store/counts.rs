//! The table of what the decisions of each session add up to. The writer of the audit adds to it, in the
//! transaction of the rows that it counts; what is shown is the sum over all logs.

use agenttrust::Timestamp;

use super::db::query;
use super::{Store, StoreError, Transaction, from_micros};

const ADD: &str = "INSERT INTO session_counts (session_id, log, total_calls, read_calls, \
                   denied_calls, last_activity_at) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (session_id, log) DO UPDATE SET \
                   total_calls = session_counts.total_calls + $3, \
                   read_calls = session_counts.read_calls + $4, \
                   denied_calls = session_counts.denied_calls + $5, \
                   last_activity_at = CASE WHEN session_counts.last_activity_at > $6 \
                   THEN session_counts.last_activity_at ELSE $6 END";
const SUM: &str = "SELECT CAST(COALESCE(SUM(total_calls), 0) AS BIGINT), \
                   CAST(COALESCE(SUM(read_calls), 0) AS BIGINT), \
                   CAST(COALESCE(SUM(denied_calls), 0) AS BIGINT), \
                   MAX(last_activity_at) FROM session_counts WHERE session_id = $1";

/// The counters of a session. They count checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) reads: u64,
    pub(crate) denied: u64,
    pub(crate) last_activity_at: Timestamp,
}

impl Counts {
    /// Returns those of a session in which nothing was checked yet.
    pub(crate) const fn none(begun: Timestamp) -> Self {
        Self { total: 0, reads: 0, denied: 0, last_activity_at: begun }
    }

    /// Counts one check.
    pub(crate) fn count(&mut self, read: bool, denied: bool, at: Timestamp) {
        self.total += 1;
        self.reads += u64::from(read);
        self.denied += u64::from(denied);
        self.last_activity_at = self.last_activity_at.max(at);
    }
}

/// Adds these decisions to what `log` holds for the session.
pub(crate) async fn add(
    transaction: &mut Transaction,
    log: &str,
    session_id: &str,
    counts: &Counts,
) -> Result<(), sqlx::Error> {
    query(ADD)
        .bind(session_id)
        .bind(log)
        .bind(counts.total.cast_signed())
        .bind(counts.reads.cast_signed())
        .bind(counts.denied.cast_signed())
        .bind(counts.last_activity_at.unix_micros())
        .execute(transaction)
        .await
        .map(drop)
}

impl Store {
    /// Returns what the decisions of this session, which began at `begun`, add up to.
    pub(crate) async fn session_counts(
        &self,
        session_id: String,
        begun: Timestamp,
    ) -> Result<Counts, StoreError> {
        self.run(move |db| async move {
            let (total, reads, denied, last): (i64, i64, i64, Option<i64>) =
                query(SUM).bind(session_id).fetch_one(&db).await?;
            let last = last.map(|at| from_micros("last_activity_at", at)).transpose()?;
            Ok(Counts {
                total: total.unsigned_abs(),
                reads: reads.unsigned_abs(),
                denied: denied.unsigned_abs(),
                last_activity_at: last.unwrap_or(begun),
            })
        })
        .await
    }
}
