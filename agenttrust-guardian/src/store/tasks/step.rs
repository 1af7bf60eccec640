//! A message is moved on, and its task with it: both in one transaction, and only by who has it.

use super::super::approvals::withdraw;
use super::super::changes::{Kind, append_change};
use super::super::db::query;
use super::begin::{bytes, task};
use super::*;

// Who has it says so by its claim: two replicas that move it at once are told apart by this one statement.
const MOVE: &str = "UPDATE task_messages SET phase = $4, approval_id = $5, check_id = $6, claim = $7, \
                    claimed_until = $8, next_at = $9 WHERE id = $1 AND phase = $2 AND claim = $3";
// What is nobody's, or was somebody's who did not come back. What is in doubt is taken only where that is wanted, and an
// approval that let it go once does not let it go again.
const CLAIM: &str = concat!(
    "UPDATE task_messages SET phase = 'checking', claim = $2, claimed_until = $3, attempts = attempts + 1, \
     begun_at = CASE WHEN phase = 'in_doubt' THEN $4 ELSE begun_at END, \
     approved_by = CASE WHEN phase = 'in_doubt' THEN NULL ELSE approved_by END \
     WHERE id = $1 AND (phase IN ('held', 'ready') OR (phase = 'checking' AND claimed_until <= $4) \
     OR (phase = 'in_doubt' AND $5)) RETURNING ",
    message_columns!()
);
const RENEW: &str = "UPDATE task_messages SET claimed_until = $3 WHERE id = $1 AND claim = $2 AND phase = 'sending'";
const END_OPEN: &str = "UPDATE task_messages SET phase = 'ended', claim = NULL WHERE task_id = $1 \
                        AND phase IN ('checking', 'held', 'ready', 'in_doubt', 'inbox', 'leased', 'sent')";
const IS_SENDING: &str =
    "SELECT COUNT(*) FROM task_messages WHERE task_id = $1 AND phase = 'sending'";
const END_EARLIER: &str = concat!(
    "UPDATE task_messages SET phase = 'ended' WHERE task_id = $1 AND id <> $2 AND phase = 'sent' RETURNING ",
    message_columns!()
);
const WRITE: &str = "UPDATE tasks SET state = $2, task = $3, bytes = $4, upstream = $5, asked_at = $6, changed_at = $7, \
                     seen = $8, seen_state = $9, seen_at = $10 WHERE id = $1";
// While a message of it is under way here, what its target says is not the last word.
const ASK: &str = "UPDATE tasks SET asked_at = $2 WHERE id = $1 AND asked_at <= $3 AND NOT EXISTS \
                   (SELECT 1 FROM task_messages WHERE task_id = tasks.id AND phase NOT IN ('sent', 'ended'))";

/// The move of a message by the replica or worker that has it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) task_id: String,
    /// The phase that it is in ...
    pub(crate) from: Phase,
    /// ... and by which claim.
    pub(crate) claim: String,
    pub(crate) to: Phase,
    pub(crate) approval_id: Option<String>,
    pub(crate) check_id: Option<String>,
    /// The holder of the message after the step, and the end of its claim.
    pub(crate) next_claim: Option<(String, Timestamp)>,
    /// The time when it is looked at again.
    pub(crate) next_at: Timestamp,
}

/// The result of a step.
#[derive(Debug)]
pub(crate) struct Stepped {
    /// The task as it stands now.
    pub(crate) task: TaskRow,
    /// Whether it ended by this.
    pub(crate) ended: bool,
    /// Messages of it that were sent before, and of which nothing more is awaited.
    pub(crate) earlier: Vec<TaskMessageRow>,
}

impl Store {
    /// Takes a message to check it and move it on; `None` where it is another's, or there is nothing to do about it.
    /// One that is in doubt is taken only with `doubted`.
    pub(crate) async fn claim_task_message(
        &self,
        id: String,
        (claim, until): (String, Timestamp),
        now: Timestamp,
        doubted: bool,
    ) -> Result<Option<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            let statement = query(CLAIM)
                .bind(id)
                .bind(claim)
                .bind(until.unix_micros())
                .bind(now.unix_micros())
                .bind(doubted);
            let row: Option<RawMessage> = statement.fetch_optional(&db).await?;
            row.map(TaskMessageRow::try_from).transpose()
        })
        .await
    }

    /// Keeps a message that is being sent for longer; returns whether it is still the caller's.
    pub(crate) async fn renew_task_message(
        &self,
        id: String,
        claim: String,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let renew = query(RENEW).bind(id).bind(claim).bind(until.unix_micros());
            Ok(renew.execute(&db).await? == 1)
        })
        .await
    }

    /// Moves a message on, and changes its task; `None` where it is another's by now, and nothing is changed then.
    pub(crate) async fn step_task(
        &self,
        step: Step,
        now: Timestamp,
        change: impl FnOnce(&mut TaskRow) + Send + 'static,
    ) -> Result<Option<Stepped>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&step.task_id).await?;
            let (claim, until) = step.next_claim.unzip();
            let moved = query(MOVE)
                .bind(&step.id)
                .bind(step.from.as_str())
                .bind(step.claim)
                .bind(step.to.as_str())
                .bind(step.approval_id)
                .bind(step.check_id)
                .bind(claim)
                .bind(until.map_or(0, Timestamp::unix_micros))
                .bind(step.next_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            if moved == 0 {
                return Ok(None);
            }
            let mut earlier = Vec::new();
            if matches!(step.to, Phase::Sent | Phase::Ended) {
                let end = query(END_EARLIER).bind(&step.task_id).bind(&step.id);
                let rows: Vec<RawMessage> = end.fetch_all(&mut transaction).await?;
                for row in rows {
                    earlier.push(TaskMessageRow::try_from(row)?);
                }
            }
            let mut stepped = write(&mut transaction, &step.task_id, now, change).await?;
            if let Some(stepped) = &mut stepped {
                stepped.earlier = earlier;
                // It may have been ended meanwhile, by its target or its sender.
                if stepped.task.state().is_terminal() {
                    end_open(&mut transaction, &stepped.task, now).await?;
                }
            }
            transaction.commit().await?;
            Ok(stepped)
        })
        .await
    }

    /// Changes a task; `None` where no task has this id.
    pub(crate) async fn change_task(
        &self,
        id: String,
        now: Timestamp,
        change: impl FnOnce(&mut TaskRow) + Send + 'static,
    ) -> Result<Option<Stepped>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            let stepped = write(&mut transaction, &id, now, change).await?;
            if let Some(stepped) = stepped.as_ref().filter(|stepped| stepped.ended) {
                end_open(&mut transaction, &stepped.task, now).await?;
            }
            transaction.commit().await?;
            Ok(stepped)
        })
        .await
    }

    /// Ends a task with what is under way of it, unless a message of it is just being sent.
    ///
    /// Returns `None` in that case, and where it has ended already.
    pub(crate) async fn end_task(
        &self,
        id: String,
        now: Timestamp,
        change: impl FnOnce(&mut TaskRow) + Send + 'static,
    ) -> Result<Option<Stepped>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            let (sending,): (i64,) =
                query(IS_SENDING).bind(&id).fetch_one(&mut transaction).await?;
            if sending > 0 {
                return Ok(None);
            }
            let stepped = write(&mut transaction, &id, now, change).await?;
            let Some(stepped) = stepped.filter(|stepped| stepped.ended) else { return Ok(None) };
            end_open(&mut transaction, &stepped.task, now).await?;
            transaction.commit().await?;
            Ok(Some(stepped))
        })
        .await
    }

    /// Says that the target is asked after a task now; returns whether it was not since `before`.
    pub(crate) async fn ask_after_task(
        &self,
        id: String,
        now: Timestamp,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let ask = query(ASK).bind(id).bind(now.unix_micros()).bind(before.unix_micros());
            Ok(ask.execute(&db).await? == 1)
        })
        .await
    }
}

/// Ends what is under way of a task that has ended, and withdraws what it asked to have approved.
async fn end_open(
    transaction: &mut Transaction,
    task: &TaskRow,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    query(END_OPEN).bind(&task.id).execute(&mut *transaction).await?;
    let why = match task.state() {
        TaskState::Canceled => "its task was cancelled",
        _ => "its task has ended",
    };
    withdraw(transaction, &task.id, why, now).await
}

/// Changes the row of a task, if there is one. What has ended is not changed any more.
async fn write(
    transaction: &mut Transaction,
    id: &str,
    now: Timestamp,
    change: impl FnOnce(&mut TaskRow),
) -> Result<Option<Stepped>, sqlx::Error> {
    let Some(before) = task(transaction, id).await? else { return Ok(None) };
    if before.state().is_terminal() {
        return Ok(Some(Stepped { task: before, ended: false, earlier: Vec::new() }));
    }
    let mut after = before.clone();
    change(&mut after);
    let is_seen = after.settle_sight(&before, now);
    let is_other = after.task != before.task || after.upstream != before.upstream;
    if !is_seen && !is_other {
        return Ok(Some(Stepped { task: before, ended: false, earlier: Vec::new() }));
    }
    if is_other {
        // Each change is later than the one before: by that it is known that there is one.
        let next = before.changed_at.saturating_add(std::time::Duration::from_micros(1));
        after.changed_at = now.max(next);
    }
    let text = to_json(&after.task);
    query(WRITE)
        .bind(id)
        .bind(after.state().as_str())
        .bind(&text)
        .bind(bytes(&text))
        .bind(after.upstream.as_ref().map(to_json))
        .bind(after.asked_at.unix_micros())
        .bind(after.changed_at.unix_micros())
        .bind(after.seen.as_ref().map(|seen| to_json(&seen.status)))
        .bind(after.seen.as_ref().map(|seen| seen.status.state.as_str()))
        .bind(after.seen.as_ref().map(|seen| seen.at.unix_micros()))
        .execute(&mut *transaction)
        .await?;
    append_change(transaction, Kind::Task, &after.org_id, id, now).await?;
    let ended = after.state().is_terminal();
    Ok(Some(Stepped { task: after, ended, earlier: Vec::new() }))
}
