//! The table of what all Guardians on one database know and nobody else does. These are kept as they are,
//! because they are used and not compared: whoever reads the database can do worse anyway.

use super::db::query;
use super::{Store, StoreError};

const ADD: &str =
    "INSERT INTO secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const FIND: &str = "SELECT secret FROM secrets WHERE name = $1";

impl Store {
    /// The secret of this name; `fresh` if there was none.
    pub(crate) async fn secret(
        &self,
        name: &'static str,
        fresh: [u8; 32],
    ) -> Result<Vec<u8>, StoreError> {
        self.run(move |db| async move {
            query(ADD).bind(name).bind(&fresh[..]).execute(&db).await?;
            let (secret,): (Vec<u8>,) = query(FIND).bind(name).fetch_one(&db).await?;
            Ok(secret)
        })
        .await
    }
}
