//! The table of reports: what ran, and whether the report is believed.

use agenttrust::Timestamp;

use super::approvals::settle_outcome;
use super::db::query;
use super::{Store, StoreError, Transaction};

// A second report of the same stage of a check is kept as well, and not believed.
const INSERT: &str = "INSERT INTO telemetry (id, org_id, agent_id, session_id, key_id, event_type, \
                      tool, duration_ms, success, error_type, happened_at, received_at, check_id, \
                      verified, stage) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
                      ON CONFLICT (check_id, stage) WHERE verified DO NOTHING";
const PRUNE: &str = "DELETE FROM telemetry WHERE received_at < $1";

/// Which part of a call a report is about. Each part of a check is believed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The call began.
    Start,
    /// The call ended, well or not.
    End,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

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
    pub(crate) stage: Option<Stage>,
    /// Whether its check id proves it.
    pub(crate) verified: bool,
}

async fn insert(transaction: &mut Transaction, event: &EventRow) -> Result<u64, sqlx::Error> {
    query(INSERT)
        .bind(&event.id)
        .bind(&event.org_id)
        .bind(&event.agent_id)
        .bind(&event.session_id)
        .bind(&event.key_id)
        .bind(&event.event_type)
        .bind(&event.tool)
        .bind(i64::try_from(event.duration_ms).unwrap_or(i64::MAX))
        .bind(event.success)
        .bind(&event.error_type)
        .bind(event.happened_at.map(Timestamp::unix_micros))
        .bind(event.received_at.unix_micros())
        .bind(&event.check_id)
        .bind(event.verified)
        .bind(event.stage.map(Stage::as_str))
        .execute(transaction)
        .await
}

impl Store {
    /// Keeps a batch, all of it or nothing; returns it as it was kept. Of what is verified, that is believed
    /// which nobody reported before.
    pub(crate) async fn insert_events(
        &self,
        mut events: Vec<EventRow>,
    ) -> Result<Vec<EventRow>, StoreError> {
        // In one order, so that two batches never wait for each other.
        events.sort_by(|one, other| one.check_id.cmp(&other.check_id));
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            for event in &mut events {
                if insert(&mut transaction, event).await? == 0 {
                    event.verified = false;
                    insert(&mut transaction, event).await?;
                }
                if let EventRow { verified: true, stage: Some(Stage::End), .. } = event
                    && let Some(check_id) = &event.check_id
                {
                    let (success, now) = (event.success, event.received_at);
                    settle_outcome(&mut transaction, check_id, success, now).await?;
                }
            }
            transaction.commit().await?;
            Ok(events)
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
