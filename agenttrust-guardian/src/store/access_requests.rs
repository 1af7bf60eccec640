//! The table of requests for access that came with an `Idempotency-Key`: which approval each came to. Rows go with
//! their approvals.

use agenttrust::Timestamp;

use super::db::query;
use super::{Store, StoreError};

/// The number of requests of one API key that are found again by their `Idempotency-Key`: a caller that makes up one
/// after the other must not fill the table.
const FOUND_MOST: i64 = 1_000;

const FIND: &str =
    "SELECT body, approval_id FROM access_requests WHERE key_id = $1 AND idempotency_key = $2";
// Of two at once under one key, one writes the row.
const INSERT: &str = "INSERT INTO access_requests (key_id, idempotency_key, body, approval_id, created_at) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id, idempotency_key) DO NOTHING";
// There is one too many at a time, unless several came at once.
const FORGET_OLDEST: &str = "DELETE FROM access_requests WHERE key_id = $1 AND idempotency_key IN \
                             (SELECT idempotency_key FROM access_requests WHERE key_id = $1 \
                             ORDER BY created_at DESC, idempotency_key LIMIT 100 OFFSET $2)";

/// A request for access as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequestRow {
    pub(crate) key_id: String,
    pub(crate) idempotency_key: String,
    /// The digest of all that was submitted.
    pub(crate) body: String,
    pub(crate) approval_id: String,
    pub(crate) created_at: Timestamp,
}

/// The state of a request, found by its key.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequestFound {
    pub(crate) body: String,
    pub(crate) approval_id: String,
}

impl Store {
    /// Returns the request that was made with this key under this `Idempotency-Key`.
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

    /// Keeps which approval a request came to; `false` where another one was first under its `Idempotency-Key`. Where
    /// that is one too many of the API key, its oldest is forgotten.
    pub(crate) async fn insert_access_request(
        &self,
        row: AccessRequestRow,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let insert = query(INSERT)
                .bind(&row.key_id)
                .bind(row.idempotency_key)
                .bind(row.body)
                .bind(row.approval_id)
                .bind(row.created_at.unix_micros());
            if insert.execute(&db).await? == 0 {
                return Ok(false);
            }
            query(FORGET_OLDEST).bind(row.key_id).bind(FOUND_MOST).execute(&db).await?;
            Ok(true)
        })
        .await
    }
}
