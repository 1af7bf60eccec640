//! The table of requests for access that came with an `Idempotency-Key`: which approval each came to. Rows go with their
//! approvals.

use agenttrust::Timestamp;

use super::db::query;
use super::{Store, StoreError};

/// Under how many keys one approval is found again: a caller that makes up one after the other for the same request must
/// not fill the table.
const KEYS_MOST: i64 = 100;

const FIND: &str =
    "SELECT body, approval_id FROM access_requests WHERE key_id = $1 AND idempotency_key = $2";
// Of two at once under one key, one writes the row.
const INSERT: &str = "INSERT INTO access_requests (key_id, idempotency_key, body, approval_id, created_at) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id, idempotency_key) DO NOTHING";
const COUNT: &str = "SELECT COUNT(*) FROM access_requests WHERE approval_id = $1";

/// One request as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequestRow {
    pub(crate) key_id: String,
    pub(crate) idempotency_key: String,
    /// The digest of all that was submitted.
    pub(crate) body: String,
    pub(crate) approval_id: String,
    pub(crate) created_at: Timestamp,
}

/// What is known of a request under its key.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequestFound {
    pub(crate) body: String,
    pub(crate) approval_id: String,
}

impl Store {
    /// The request that was made with this key under this `Idempotency-Key`.
    pub(crate) async fn access_request(
        &self,
        key_id: String,
        idempotency_key: String,
    ) -> Result<Option<AccessRequestFound>, StoreError> {
        self.run(move |db| async move {
            let found: Option<(String, String)> =
                query(FIND).bind(key_id).bind(idempotency_key).fetch_optional(&db).await?;
            Ok(found.map(|(body, approval_id)| AccessRequestFound { body, approval_id }))
        })
        .await
    }

    /// Keeps which approval a request came to; `false` where another one was first under its `Idempotency-Key`. An approval
    /// that was found under many keys already is found under no more.
    pub(crate) async fn insert_access_request(
        &self,
        row: AccessRequestRow,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let (kept,): (i64,) = query(COUNT).bind(&row.approval_id).fetch_one(&db).await?;
            if kept >= KEYS_MOST {
                return Ok(true);
            }
            let insert = query(INSERT)
                .bind(row.key_id)
                .bind(row.idempotency_key)
                .bind(row.body)
                .bind(row.approval_id)
                .bind(row.created_at.unix_micros());
            Ok(insert.execute(&db).await? == 1)
        })
        .await
    }
}
