//! The table of what all Guardians on one database know, and no other program does: sealed, or in clear where no
//! Guardian has had a key to seal by.

use super::db::query;
use super::{Store, StoreError};

const ADD: &str =
    "INSERT INTO secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const FIND: &str = "SELECT secret FROM secrets WHERE name = $1";
const REPLACE: &str = "UPDATE secrets SET secret = $3 WHERE name = $1 AND secret = $2";

impl Store {
    /// Returns what is kept under this name; `fresh` if there was nothing.
    pub(crate) async fn secret(&self, name: String, fresh: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.run(move |db| async move {
            query(ADD).bind(name.as_str()).bind(&fresh[..]).execute(&db).await?;
            let (secret,): (Vec<u8>,) = query(FIND).bind(name).fetch_one(&db).await?;
            Ok(secret)
        })
        .await
    }

    /// Puts another form of a secret in the place of this one, unless it was replaced meanwhile.
    pub(crate) async fn replace_secret(
        &self,
        name: String,
        before: Vec<u8>,
        after: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let replace = query(REPLACE).bind(name).bind(&before[..]).bind(&after[..]);
            replace.execute(&db).await.map(drop)
        })
        .await
    }
}
