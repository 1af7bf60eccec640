//! How the calls went that used approvals.

use agenttrust::Timestamp;
use serde::Serialize;

use super::super::db::query;
use super::super::{EventRow, ReportStage, Transaction};
use super::{Store, StoreError};

// The first word counts: what is reported later of the same check changes nothing. A list of many is sent as
// JSON, which each database reads in its own way.
macro_rules! settle {
    ($ended:literal) => {
        concat!(
            "UPDATE approvals SET succeeded = ended.success, outcome_at = ended.at FROM ",
            $ended,
            " AS ended WHERE used_by_check = ended.check_id AND outcome_at IS NULL"
        )
    };
}
const ON_SQLITE: &str = settle!(
    "(SELECT value ->> 'check_id' AS check_id, value ->> 'success' AS success, value ->> 'at' AS at \
     FROM json_each($1))"
);
const ON_POSTGRES: &str = settle!(
    "(SELECT * FROM jsonb_to_recordset($1::jsonb) AS given (check_id text, success boolean, at bigint))"
);

const END_CHANGE: &str = "UPDATE approvals SET succeeded = $2, outcome_at = $3 WHERE used_by_check = $1 \
                          AND outcome_at IS NULL";

impl Store {
    /// Keeps how the change went that used an approval under this id.
    pub(crate) async fn end_change(
        &self,
        change_id: String,
        made: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let statement = query(END_CHANGE).bind(change_id).bind(made).bind(now.unix_micros());
            statement.execute(&db).await.map(drop)
        })
        .await
    }
}

/// The end of a call, as the statement reads it.
#[derive(Serialize)]
struct Ended<'a> {
    check_id: &'a str,
    success: bool,
    at: i64,
}

/// Keeps how the calls went whose checks used an approval; each of them is believed. Until then such an approval
/// is in doubt.
pub(in crate::store) async fn settle_outcomes(
    transaction: &mut Transaction,
    events: &[&EventRow],
) -> Result<(), sqlx::Error> {
    let ended = events.iter().filter(|event| event.stage == Some(ReportStage::End));
    let ended = ended.filter_map(|event| {
        let check_id = event.check_id.as_deref()?;
        Some(Ended { check_id, success: event.success, at: event.received_at.unix_micros() })
    });
    let ended: Vec<Ended<'_>> = ended.collect();
    if ended.is_empty() {
        return Ok(());
    }
    let sql = match transaction {
        Transaction::Sqlite(_) => ON_SQLITE,
        Transaction::Postgres(_) => ON_POSTGRES,
    };
    let ended = serde_json::to_string(&ended).map_err(|error| sqlx::Error::Encode(error.into()))?;
    query(sql).bind(ended).execute(transaction).await.map(drop)
}
