//! The table of nonces and proofs that were used: each once, at whichever replica.

use agenttrust::Timestamp;

use super::db::query;
use super::{PRUNED_AT_ONCE, Store, StoreError};

// Of two at once, whichever replica they came to, one writes the row.
const USE: &str =
    "INSERT INTO used_proofs (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const PRUNE: &str = "DELETE FROM used_proofs WHERE id IN \
                     (SELECT id FROM used_proofs WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

impl Store {
    /// Keeps that a proof was used, until `expires_at`; `false` where it was before.
    pub(crate) async fn use_proof(
        &self,
        id: String,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let written = query(USE).bind(id).bind(expires_at.unix_micros()).execute(&db).await?;
            Ok(written == 1)
        })
        .await
    }

    /// Forgets proofs that are too old to be taken at `before`, one step; returns how many.
    pub(crate) async fn prune_proofs(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
