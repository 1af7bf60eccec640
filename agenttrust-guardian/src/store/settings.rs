//! Counters that tell what changed, and what changed last.

use sqlx::SqliteConnection;

use super::{Store, StoreError};

const KEYS_VERSION: &str = "SELECT value FROM settings WHERE name = 'keys_version'";
const BUMP_KEYS_VERSION: &str =
    "UPDATE settings SET value = value + 1 WHERE name = 'keys_version' RETURNING value";

/// Says that the keys changed; returns the new version.
pub(super) async fn bump_keys_version(
    connection: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(BUMP_KEYS_VERSION).fetch_one(connection).await
}

impl Store {
    /// A number that changes whenever a key is made or revoked.
    pub(crate) async fn keys_version(&self) -> Result<i64, StoreError> {
        self.run(|pool| async move { sqlx::query_scalar(KEYS_VERSION).fetch_one(&pool).await })
            .await
    }
}
