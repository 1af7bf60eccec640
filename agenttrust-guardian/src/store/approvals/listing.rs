//! Lists of approvals: filtered and cut to size by the database, newest first.

use agenttrust::Timestamp;
use agenttrust::model::{Approval, ApprovalStatus};

use super::super::Place;
use super::super::db::query;
use super::requester::votes;
use super::{Raw, Store, StoreError, columns};

// Without the inputs that are long: they must not hide the others from the approver. What lapsed counts as
// expired, swept or not.
const LIST: &str = concat!(
    "SELECT ",
    columns!("CASE WHEN LENGTH(input) <= 16384 THEN input END", "$2"),
    " FROM approvals WHERE org_id = $1 AND ($3 IS NULL OR agent_id = $3) \
     AND ($4 IS NULL OR tool = $4) \
     AND ($5 IS NULL OR CASE WHEN status IN ('pending', 'approved') AND expires_at <= $6 \
     THEN 'expired' ELSE status END = $5) \
     AND ($7 IS NULL OR created_at >= $7) AND ($8 IS NULL OR created_at < $8) \
     AND ($9 IS NULL OR (created_at, id) < ($9, $10)) \
     AND ($11 IS NULL OR (used_by_check IS NOT NULL AND outcome_at IS NULL) = ($11 = 1)) \
     ORDER BY created_at DESC, id DESC LIMIT $12"
);

/// The approvals to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApprovalFilter {
    pub(crate) status: Option<ApprovalStatus>,
    pub(crate) agent_id: Option<String>,
    pub(crate) tool: Option<String>,
    /// The earliest time of the hold.
    pub(crate) since: Option<Timestamp>,
    /// The time before which the call was held.
    pub(crate) until: Option<Timestamp>,
    /// The place in the list behind which to begin.
    pub(crate) after: Option<Place>,
    /// Whether to list used approvals whose outcome is not known yet, or those whose outcome is known.
    pub(crate) in_doubt: Option<bool>,
    /// The largest number to list.
    pub(crate) limit: i64,
}

impl Store {
    /// Returns the approvals of this organisation that pass the filter, newest first; with the disclosed inputs of up
    /// to 16,384 characters.
    pub(crate) async fn approvals(
        &self,
        org_id: String,
        filter: ApprovalFilter,
        now: Timestamp,
    ) -> Result<Vec<Approval>, StoreError> {
        let own_votes = self.own_votes;
        let (created_at, id) = filter.after.map(|after| (after.created_at, after.id)).unzip();
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIST)
                .bind(org_id)
                .bind(own_votes)
                .bind(filter.agent_id)
                .bind(filter.tool)
                .bind(filter.status.map(ApprovalStatus::as_str))
                .bind(now.unix_micros())
                .bind(filter.since.map(Timestamp::unix_micros))
                .bind(filter.until.map(Timestamp::unix_micros))
                .bind(created_at.map(Timestamp::unix_micros))
                .bind(id)
                .bind(filter.in_doubt.map(i64::from))
                .bind(filter.limit)
                .fetch_all(&db)
                .await?;
            rows.into_iter().map(|row| row.at(now).map(|row| row.approval)).collect()
        })
        .await
    }
}
