//! The table of each agent's latest denials: what a burst of them is recognised by. The writer of the
//! audit keeps it, in the transaction of the rows of these denials.

use agenttrust::Timestamp;

use super::db::query;
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_json, to_json};

const FIND: &str = "SELECT latest, told FROM denials WHERE agent_id = $1";
const KEEP: &str = "INSERT INTO denials (agent_id, latest, kept_at, told) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (agent_id) DO UPDATE SET latest = $2, kept_at = $3, told = $4";
const PRUNE: &str = "DELETE FROM denials WHERE agent_id IN \
                     (SELECT agent_id FROM denials WHERE kept_at < $1 ORDER BY kept_at LIMIT $2)";

/// The state of an agent's denials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Denials {
    /// The times of the latest denials, each with its tool; oldest first.
    pub(crate) latest: Vec<(Timestamp, String)>,
    /// Whether the burst of these denials was reported.
    pub(crate) told: bool,
}

/// Returns what is known of this agent's denials. No other transaction changes it until this one ends.
pub(crate) async fn find(
    transaction: &mut Transaction,
    agent_id: &str,
) -> Result<Denials, sqlx::Error> {
    // Not the agent's own lock: only writers of audits meet here.
    transaction.lock(&format!("denials of {agent_id}")).await?;
    let row: Option<(String, bool)> =
        query(FIND).bind(agent_id).fetch_optional(transaction).await?;
    let Some((latest, told)) = row else { return Ok(Denials::default()) };
    Ok(Denials { latest: from_json("latest", &latest)?, told })
}

/// Keeps what is known at `now`.
pub(crate) async fn keep(
    transaction: &mut Transaction,
    agent_id: &str,
    denials: &Denials,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    query(KEEP)
        .bind(agent_id)
        .bind(to_json(&denials.latest))
        .bind(now.unix_micros())
        .bind(denials.told)
        .execute(transaction)
        .await
        .map(drop)
}

impl Store {
    /// Forgets agents that were last denied before `before`, one step; returns how many.
    pub(crate) async fn prune_denials(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
