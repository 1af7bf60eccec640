//! The end of approvals that are not decided or used in time, and of their rows.

use agenttrust::Timestamp;

use super::super::changes::{Kind, append_change};
use super::super::db::query;
use super::super::{PRUNED_AT_ONCE, Transaction};
use super::{Store, StoreError};

const EXPIRED_AT: &str =
    "SELECT id FROM approvals WHERE agent_id = $1 AND status = 'expired' AND expires_at = $2";
const LAPSED: &str = "SELECT id, org_id, agent_id FROM approvals \
                      WHERE status IN ('pending', 'approved') AND expires_at <= $1 ORDER BY id LIMIT 50";
const EXPIRE: &str = "UPDATE approvals SET status = 'expired', input = NULL \
                      WHERE id = $1 AND status IN ('pending', 'approved') AND expires_at <= $2";
// What a message of a task asked for that goes nowhere any more.
const WITHDRAW: &str = "UPDATE approvals SET status = 'expired', expires_at = $2, decision_reason = $3, input = NULL \
                        WHERE task_message <> '' AND task_message IN \
                        (SELECT id FROM task_messages WHERE task_id = $1 AND phase = 'ended') \
                        AND status IN ('pending', 'approved') AND uses = 0 RETURNING id, org_id";
// What somebody asked for and wants no more.
const CANCEL: &str = "UPDATE approvals SET status = 'expired', expires_at = $3, decision_reason = $4, input = NULL \
                      WHERE id = $1 AND org_id = $2 AND status = 'pending' AND expires_at > $3";
// What is over cannot come back, so nothing that is found here is needed by anybody who decides.
const OVER: &str = "SELECT id FROM approvals WHERE status IN ('denied', 'expired', 'consumed') \
                    AND expires_at < $1 ORDER BY id LIMIT $2";
const FORGET_ASKERS: &str = "DELETE FROM approval_askers WHERE approval_id = $1";
const FORGET_VOTES: &str = "DELETE FROM approval_votes WHERE approval_id = $1";
const FORGET_REQUESTS: &str = "DELETE FROM access_requests WHERE approval_id = $1";
const FORGET: &str = "DELETE FROM approvals WHERE id = $1";

impl Store {
    /// Returns the approvals of this agent that its revocation at `now` expired.
    pub(crate) async fn approvals_expired_at(
        &self,
        agent_id: String,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.run(move |db| async move {
            let ids: Vec<(String,)> =
                query(EXPIRED_AT).bind(agent_id).bind(now.unix_micros()).fetch_all(&db).await?;
            Ok(ids.into_iter().map(|(id,)| id).collect())
        })
        .await
    }

    /// Cancels a pending approval of this organisation; `false` when it is not pending any more.
    pub(crate) async fn cancel_approval(
        &self,
        id: String,
        org_id: String,
        why: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let cancel = query(CANCEL).bind(&id).bind(&org_id).bind(now.unix_micros()).bind(why);
            if cancel.execute(&mut transaction).await? != 1 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Approval, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Marks what has lapsed by `now` as expired and drops disclosed inputs, at most 50 at once, because every other
    /// change waits meanwhile; returns id, organisation and agent of each.
    pub(crate) async fn expire_approvals(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        self.run(move |db| async move {
            let at = now.unix_micros();
            let lapsed: Vec<(String, String, String)> =
                query(LAPSED).bind(at).fetch_all(&db).await?;
            if lapsed.is_empty() {
                return Ok(lapsed);
            }
            let mut transaction = db.begin().await?;
            let mut expired = Vec::with_capacity(lapsed.len());
            for row in lapsed {
                let done = query(EXPIRE).bind(&row.0).bind(at).execute(&mut transaction).await?;
                if done == 1 {
                    expired.push(row);
                }
            }
            for (id, org_id, _) in &expired {
                append_change(&mut transaction, Kind::Approval, org_id, id, now).await?;
            }
            transaction.commit().await?;
            Ok(expired)
        })
        .await
    }

    /// Forgets approvals that were over before `before`, with who asked and who voted, one step; returns
    /// how many.
    pub(crate) async fn prune_approvals(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            let over = query(OVER).bind(before.unix_micros()).bind(PRUNED_AT_ONCE);
            let over: Vec<(String,)> = over.fetch_all(&db).await?;
            if over.is_empty() {
                return Ok(0);
            }
            let mut transaction = db.begin().await?;
            for (id,) in &over {
                query(FORGET_ASKERS).bind(id).execute(&mut transaction).await?;
                query(FORGET_VOTES).bind(id).execute(&mut transaction).await?;
                query(FORGET_REQUESTS).bind(id).execute(&mut transaction).await?;
                query(FORGET).bind(id).execute(&mut transaction).await?;
            }
            transaction.commit().await?;
            Ok(over.len() as u64)
        })
        .await
    }
}

/// Withdraws the approvals of what a task asked for and was never sent; `why` is what those hear who would decide them.
pub(in crate::store) async fn withdraw(
    transaction: &mut Transaction,
    task_id: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let withdraw = query(WITHDRAW).bind(task_id).bind(now.unix_micros()).bind(why);
    let withdrawn: Vec<(String, String)> = withdraw.fetch_all(&mut *transaction).await?;
    for (id, org_id) in withdrawn {
        append_change(transaction, Kind::Approval, &org_id, &id, now).await?;
    }
    Ok(())
}
