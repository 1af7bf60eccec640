//! Tasks that a target fetches by itself: one worker has one, for as long as its lease runs.

use super::super::db::query;
use super::*;

// The conditions are repeated on purpose: of two workers that see the same row, the second one finds it taken.
const NEXT: &str = concat!(
    "UPDATE task_messages SET phase = 'leased', claim = $3, claimed_until = $4, attempts = attempts + 1 \
     WHERE id = (SELECT id FROM task_messages WHERE org_id = $1 AND target_agent_id = $2 \
     AND phase IN ('inbox', 'leased') AND (phase = 'inbox' OR claimed_until <= $5) ORDER BY created_at, id LIMIT 1) \
     AND (phase = 'inbox' OR (phase = 'leased' AND claimed_until <= $5)) RETURNING ",
    message_columns!()
);
const IS_WAITED_FOR: &str = "SELECT COUNT(*) FROM task_messages WHERE org_id = $1 AND target_agent_id = $2 \
                             AND phase IN ('inbox', 'leased') AND (phase = 'inbox' OR claimed_until <= $3)";
const EXTEND: &str =
    "UPDATE task_messages SET claimed_until = $3 WHERE id = $1 AND claim = $2 AND phase = 'leased'";
const NEWEST_OF: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM task_messages WHERE task_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1"
);

impl Store {
    /// Returns the oldest task that waits in the inbox of an agent, until `until` the caller's
    /// alone.
    pub(crate) async fn next_in_inbox(
        &self,
        (org_id, agent_id): (String, String),
        (lease, until): (String, Timestamp),
        now: Timestamp,
    ) -> Result<Option<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            loop {
                let next = query(NEXT)
                    .bind(&org_id)
                    .bind(&agent_id)
                    .bind(&lease)
                    .bind(until.unix_micros())
                    .bind(now.unix_micros());
                let row: Option<RawMessage> = next.fetch_optional(&db).await?;
                if let Some(row) = row {
                    return row.try_into().map(Some);
                }
                // Another worker may have taken the one that was seen, and left others.
                let (waiting,): (i64,) = query(IS_WAITED_FOR)
                    .bind(&org_id)
                    .bind(&agent_id)
                    .bind(now.unix_micros())
                    .fetch_one(&db)
                    .await?;
                if waiting == 0 {
                    return Ok(None);
                }
            }
        })
        .await
    }

    /// Lets a lease run until `until`; returns whether it is still the caller's.
    pub(crate) async fn extend_lease(
        &self,
        id: String,
        lease: String,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let extend = query(EXTEND).bind(id).bind(lease).bind(until.unix_micros());
            Ok(extend.execute(&db).await? == 1)
        })
        .await
    }

    /// Returns the newest message of a task.
    pub(crate) async fn newest_task_message(
        &self,
        task_id: String,
    ) -> Result<Option<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<RawMessage> =
                query(NEWEST_OF).bind(task_id).fetch_optional(&db).await?;
            row.map(TaskMessageRow::try_from).transpose()
        })
        .await
    }
}
