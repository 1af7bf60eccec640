//! How the call went that used an approval.

use agenttrust::Timestamp;

use super::super::Transaction;
use super::super::db::query;

// The first word counts: what is reported later of the same check changes nothing.
const SETTLE: &str = "UPDATE approvals SET succeeded = $2, outcome_at = $3 \
                      WHERE used_by_check = $1 AND outcome_at IS NULL";

/// Keeps how the call went that this check allowed, if it used an approval. Until then that approval is in
/// doubt.
pub(in crate::store) async fn settle_outcome(
    transaction: &mut Transaction,
    check_id: &str,
    success: bool,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let settle = query(SETTLE).bind(check_id).bind(success).bind(now.unix_micros());
    settle.execute(transaction).await.map(drop)
}
