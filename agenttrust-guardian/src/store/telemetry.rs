//! The table of reports: what ran, and whether the report is believed.

use agenttrust::Timestamp;

use super::db::query;
use super::{Store, StoreError};

const INSERT: &str = "INSERT INTO telemetry (id, org_id, agent_id, session_id, key_id, event_type, \
                      tool, duration_ms, success, error_type, happened_at, received_at, check_id, \
                      verified) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const PRUNE: &str = "DELETE FROM telemetry WHERE received_at < $1";

/// One report.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    pub(crate) key_id: String,
    pub(crate) event_type: String,
    pub(crate) tool: String,
    pub(crate) duration_ms: u64,
    pub(crate) success: bool,
    pub(crate) error_type: Option<String>,
    pub(crate) happened_at: Option<Timestamp>,
    pub(crate) received_at: Timestamp,
    pub(crate) check_id: Option<String>,
    pub(crate) verified: bool,
}

impl Store {
    /// Keeps a batch, all of it or nothing.
    pub(crate) async fn insert_events(&self, events: Vec<EventRow>) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            for event in events {
                query(INSERT)
                    .bind(event.id)
                    .bind(event.org_id)
                    .bind(event.agent_id)
                    .bind(event.session_id)
                    .bind(event.key_id)
                    .bind(event.event_type)
                    .bind(event.tool)
                    .bind(i64::try_from(event.duration_ms).unwrap_or(i64::MAX))
                    .bind(event.success)
                    .bind(event.error_type)
                    .bind(event.happened_at.map(Timestamp::unix_micros))
                    .bind(event.received_at.unix_micros())
                    .bind(event.check_id)
                    .bind(event.verified)
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await
        })
        .await
    }

    /// Forgets what was received before `before`.
    pub(crate) async fn prune_telemetry(&self, before: Timestamp) -> Result<(), StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).execute(&db).await.map(drop)
        })
        .await
    }
}
