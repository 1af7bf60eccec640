//! Messages that have to go on: those whose approval was decided, those to be tried again, and those that were being
//! sent by a Guardian that is gone.

use super::super::PRUNED_AT_ONCE;
use super::super::db::query;
use super::*;

/// The number of tasks that are looked at at once.
const AT_ONCE: i64 = 64;

// Held ones go on once their approval is pending no more; one that is gone is asked for anew.
const TO_CHECK: &str = "SELECT id FROM task_messages WHERE \
    (phase = 'held' AND approval_id IS NOT NULL AND NOT EXISTS \
    (SELECT 1 FROM approvals WHERE approvals.id = task_messages.approval_id AND approvals.status = 'pending')) \
    OR (phase = 'held' AND approval_id IS NULL AND next_at <= $1) \
    OR (phase = 'ready' AND next_at <= $1) \
    OR (phase = 'checking' AND claimed_until <= $1) \
    ORDER BY next_at, created_at LIMIT $2";
const HELD: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM task_messages WHERE phase = 'held' AND id > $1 ORDER BY id LIMIT $2"
);
const LOST: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM task_messages WHERE phase = 'sending' AND (claimed_until <= $1 OR $2) ORDER BY claimed_until LIMIT $3"
);
const TO_ASK: &str = "SELECT id, task_id, org_id FROM task_messages WHERE phase = 'sent' AND next_at <= $1 \
                      ORDER BY next_at LIMIT $2";
const ASK_LATER: &str = "UPDATE task_messages SET next_at = $2, attempts = attempts + 1 WHERE id = $1 \
                         AND phase = 'sent' AND next_at <= $3";
const PRUNE: &str = "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE changed_at < $1 \
                     ORDER BY changed_at LIMIT $2)";

impl Store {
    /// Returns messages to be taken, checked and moved on at `now`.
    pub(crate) async fn task_messages_due(
        &self,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.run(move |db| async move {
            let due: Vec<(String,)> =
                query(TO_CHECK).bind(now.unix_micros()).bind(AT_ONCE).fetch_all(&db).await?;
            Ok(due.into_iter().map(|(id,)| id).collect())
        })
        .await
    }

    /// Returns some of the messages that are held, by their ids, from the first one after `after` on.
    pub(crate) async fn held_task_messages(
        &self,
        after: String,
    ) -> Result<Vec<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<RawMessage> =
                query(HELD).bind(after).bind(AT_ONCE).fetch_all(&db).await?;
            rows.into_iter().map(TaskMessageRow::try_from).collect()
        })
        .await
    }

    /// Returns messages that were being sent by a Guardian that did not come back; by any, where `all` says so.
    pub(crate) async fn lost_task_messages(
        &self,
        now: Timestamp,
        all: bool,
    ) -> Result<Vec<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            let lost = query(LOST).bind(now.unix_micros()).bind(all).bind(AT_ONCE);
            let rows: Vec<RawMessage> = lost.fetch_all(&db).await?;
            rows.into_iter().map(TaskMessageRow::try_from).collect()
        })
        .await
    }

    /// Returns messages whose tasks are to be asked after at their targets at `now`, each with its task and
    /// organisation.
    pub(crate) async fn tasks_to_ask_after(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        self.run(move |db| async move {
            query(TO_ASK).bind(now.unix_micros()).bind(AT_ONCE).fetch_all(&db).await
        })
        .await
    }

    /// Says when the task of this message is asked after next; returns whether it is the caller's to ask now.
    pub(crate) async fn ask_after_task_later(
        &self,
        id: String,
        next_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let later =
                query(ASK_LATER).bind(id).bind(next_at.unix_micros()).bind(now.unix_micros());
            Ok(later.execute(&db).await? == 1)
        })
        .await
    }

    /// Forgets tasks that have not changed since `before`, with their messages, one step; returns how many.
    pub(crate) async fn prune_tasks(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
