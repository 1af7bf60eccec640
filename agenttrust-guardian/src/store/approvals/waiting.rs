//! How many approvals wait, for those who count.

use agenttrust::Timestamp;

use super::super::db::query;
use super::{Store, StoreError};

const WAITING: &str =
    "SELECT COUNT(*), MIN(created_at) FROM approvals WHERE status = 'pending' AND expires_at > $1";

impl Store {
    /// Returns how many approvals are pending at `now`, in all organisations, and since when the oldest of them is.
    pub(crate) async fn approvals_that_wait(
        &self,
        now: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.run(move |db| async move {
            let waiting = query(WAITING).bind(now.unix_micros());
            let (count, oldest): (i64, Option<i64>) = waiting.fetch_one(&db).await?;
            let oldest = oldest.and_then(Timestamp::from_unix_micros);
            Ok((u64::try_from(count).unwrap_or(0), oldest))
        })
        .await
    }
}
