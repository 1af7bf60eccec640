//! A message is kept before anything is done about it: with a task of its own, or with the one that it goes on with.

use super::super::changes::{Kind, append_change};
use super::super::db::query;
use super::*;

const BY_MESSAGE_ID: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM task_messages WHERE org_id = $1 AND source = $2 AND message_id = $3"
);
const UNDER_WAY: &str = "SELECT COUNT(*) FROM tasks WHERE org_id = $1 AND source = $2 \
                         AND state NOT IN ('completed', 'failed', 'canceled', 'rejected')";
const UNDER_WAY_AT_TARGET: &str = "SELECT COUNT(*) FROM tasks WHERE org_id = $1 AND target_agent_id = $2 \
                                   AND state NOT IN ('completed', 'failed', 'canceled', 'rejected')";
const UNDER_WAY_BETWEEN: &str = "SELECT COUNT(*) FROM tasks WHERE org_id = $1 AND target_agent_id = $2 \
                                 AND source = $3 AND state NOT IN ('completed', 'failed', 'canceled', 'rejected')";
const INSERT_TASK: &str = "INSERT INTO tasks (id, org_id, context_id, source, source_agent_id, target_agent_id, \
                           state, task, bytes, upstream, asked_at, created_at, changed_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const INSERT_MESSAGE: &str = "INSERT INTO task_messages (id, task_id, org_id, source, message_id, target_agent_id, \
                              digest, body, key_id, session_id, phase, claim, claimed_until, state_before, \
                              created_at, begun_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
// The newest, which is the only one that may be open.
const NEWEST: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM task_messages WHERE task_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1"
);
const TASK: &str = concat!("SELECT ", task_columns!(), " FROM tasks WHERE id = $1");

/// The result of keeping a message.
#[derive(Debug)]
pub(crate) enum Begun {
    Kept,
    /// The message is there already, by its id and source.
    Known(Box<TaskMessageRow>),
    /// The task has another message that is still under way.
    After(Box<TaskMessageRow>),
    /// Its task has ended, or is gone.
    Over(Option<TaskState>),
    /// The number of tasks under way is at its limit.
    Full(Whole),
}

/// The limit on tasks under way that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The share that this sender has of this target's tasks.
    Share,
    /// All tasks of this sender.
    Sender,
    /// All tasks of this target.
    Target,
}

impl Store {
    /// Keeps a message with the task that it begins.
    pub(crate) async fn begin_task(
        &self,
        task: TaskRow,
        message: TaskMessageRow,
    ) -> Result<Begun, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&format!("tasks of {}", message.source)).await?;
            if let Some(known) = known(&mut transaction, &message).await? {
                return Ok(Begun::Known(Box::new(known)));
            }
            if let Some(whole) = full(&mut transaction, &task).await? {
                return Ok(Begun::Full(whole));
            }
            insert_task(&mut transaction, &task).await?;
            insert_message(&mut transaction, &message).await?;
            append_change(&mut transaction, Kind::Task, &task.org_id, &task.id, task.created_at)
                .await?;
            transaction.commit().await?;
            Ok(Begun::Kept)
        })
        .await
    }

    /// Keeps a message of a task that goes on with it.
    pub(crate) async fn begin_message(
        &self,
        mut message: TaskMessageRow,
    ) -> Result<Begun, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&format!("tasks of {}", message.source)).await?;
            transaction.lock(&message.task_id).await?;
            if let Some(known) = known(&mut transaction, &message).await? {
                return Ok(Begun::Known(Box::new(known)));
            }
            let Some(task) = task(&mut transaction, &message.task_id).await? else {
                return Ok(Begun::Over(None));
            };
            if task.state().is_terminal() {
                return Ok(Begun::Over(Some(task.state())));
            }
            let newest: Option<RawMessage> =
                query(NEWEST).bind(&message.task_id).fetch_optional(&mut transaction).await?;
            let newest = newest.map(TaskMessageRow::try_from).transpose()?;
            if let Some(open) = newest.filter(|newest| newest.phase.is_open()) {
                return Ok(Begun::After(Box::new(open)));
            }
            message.state_before = Some(task.state());
            insert_message(&mut transaction, &message).await?;
            transaction.commit().await?;
            Ok(Begun::Kept)
        })
        .await
    }

    /// Returns the message that this source sent under this id.
    pub(crate) async fn task_message_of(
        &self,
        org_id: String,
        source: String,
        message_id: String,
    ) -> Result<Option<TaskMessageRow>, StoreError> {
        self.run(move |db| async move {
            let statement = query(BY_MESSAGE_ID).bind(org_id).bind(source).bind(message_id);
            let row: Option<RawMessage> = statement.fetch_optional(&db).await?;
            row.map(TaskMessageRow::try_from).transpose()
        })
        .await
    }
}

/// Returns the limit that one more task would exceed, if there is one.
async fn full(transaction: &mut Transaction, task: &TaskRow) -> Result<Option<Whole>, sqlx::Error> {
    let (org_id, source, target) = (&task.org_id, &task.source, &task.target_agent_id);
    for (counting, most, whole) in [
        (
            query(UNDER_WAY_BETWEEN).bind(org_id).bind(target).bind(source),
            TASKS_UNDER_WAY_BETWEEN_MOST,
            Whole::Share,
        ),
        (query(UNDER_WAY).bind(org_id).bind(source), TASKS_UNDER_WAY_MOST, Whole::Sender),
        (query(UNDER_WAY_AT_TARGET).bind(org_id).bind(target), TASKS_UNDER_WAY_MOST, Whole::Target),
    ] {
        let (count,): (i64,) = counting.fetch_one(&mut *transaction).await?;
        if count >= most {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

async fn known(
    transaction: &mut Transaction,
    message: &TaskMessageRow,
) -> Result<Option<TaskMessageRow>, sqlx::Error> {
    let statement =
        query(BY_MESSAGE_ID).bind(&message.org_id).bind(&message.source).bind(&message.message_id);
    let row: Option<RawMessage> = statement.fetch_optional(transaction).await?;
    row.map(TaskMessageRow::try_from).transpose()
}

pub(super) async fn task(
    transaction: &mut Transaction,
    id: &str,
) -> Result<Option<TaskRow>, sqlx::Error> {
    let row: Option<RawTask> = query(TASK).bind(id).fetch_optional(transaction).await?;
    row.map(TaskRow::try_from).transpose()
}

async fn insert_task(transaction: &mut Transaction, task: &TaskRow) -> Result<(), sqlx::Error> {
    let text = to_json(&task.task);
    let statement = query(INSERT_TASK)
        .bind(&task.id)
        .bind(&task.org_id)
        .bind(&task.context_id)
        .bind(&task.source)
        .bind(&task.source_agent_id)
        .bind(&task.target_agent_id)
        .bind(task.state().as_str())
        .bind(&text)
        .bind(bytes(&text))
        .bind(task.upstream.as_ref().map(to_json))
        .bind(task.asked_at.unix_micros())
        .bind(task.created_at.unix_micros())
        .bind(task.changed_at.unix_micros());
    statement.execute(transaction).await.map(drop)
}

async fn insert_message(
    transaction: &mut Transaction,
    message: &TaskMessageRow,
) -> Result<(), sqlx::Error> {
    let statement = query(INSERT_MESSAGE)
        .bind(&message.id)
        .bind(&message.task_id)
        .bind(&message.org_id)
        .bind(&message.source)
        .bind(&message.message_id)
        .bind(&message.target_agent_id)
        .bind(&message.digest)
        .bind(to_json(&message.body))
        .bind(&message.key_id)
        .bind(&message.session_id)
        .bind(message.phase.as_str())
        .bind(&message.claim)
        .bind(message.claimed_until.unix_micros())
        .bind(message.state_before.map(TaskState::as_str))
        .bind(message.created_at.unix_micros())
        .bind(message.begun_at.unix_micros());
    statement.execute(transaction).await.map(drop)
}

/// Returns how long a text is.
pub(super) fn bytes(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
