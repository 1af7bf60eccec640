//! How the call went that used an approval.

use agenttrust::Timestamp;

use super::super::db::query;
use super::{Store, StoreError};

// The first word counts: what is reported later of the same check changes nothing.
const SETTLE: &str = "UPDATE approvals SET succeeded = $2, outcome_at = $3 \
                      WHERE used_by_check = $1 AND outcome_at IS NULL";

impl Store {
    /// Keeps how the call went that this check allowed, if it used an approval. Until then that approval
    /// is in doubt.
    pub(crate) async fn settle_outcome(
        &self,
        check_id: String,
        success: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let settle = query(SETTLE).bind(check_id).bind(success).bind(now.unix_micros());
            settle.execute(&db).await.map(drop)
        })
        .await
    }
}
