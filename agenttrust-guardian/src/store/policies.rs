//! The table of policies that were sent.

use agenttrust::Timestamp;

use super::changes::{Kind, append_change};
use super::db::query;
use super::{Store, StoreError};

const LIST: &str = "SELECT name, text FROM policy_files";
const CLEAR: &str = "DELETE FROM policy_files";
const INSERT: &str = "INSERT INTO policy_files (name, text) VALUES ($1, $2)";

/// The lock that each change of policies waits for.
const LOCK: &str = "policies";

impl Store {
    /// Returns the files that were sent last, by name; no files when none ever were.
    pub(crate) async fn policy_files(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.run(|db| async move {
            let mut files: Vec<(String, String)> = query(LIST).fetch_all(&db).await?;
            // Not left to the database: each sorts text in its own way.
            files.sort();
            Ok(files)
        })
        .await
    }

    /// Keeps these files instead of those that are there, and says that the key `by` changed policies.
    pub(crate) async fn put_policy_files(
        &self,
        org_id: String,
        files: Vec<(String, String)>,
        by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(LOCK).await?;
            query(CLEAR).execute(&mut transaction).await?;
            for (name, text) in files {
                query(INSERT).bind(name).bind(text).execute(&mut transaction).await?;
            }
            append_change(&mut transaction, Kind::Policies, &org_id, &by, now).await?;
            transaction.commit().await
        })
        .await
    }

    /// Says that the key `by` had the policies read again, so that others read them as well.
    pub(crate) async fn policies_reread(
        &self,
        org_id: String,
        by: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            append_change(&mut transaction, Kind::Policies, &org_id, &by, now).await?;
            transaction.commit().await
        })
        .await
    }
}
