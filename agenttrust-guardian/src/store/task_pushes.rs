//! The table of push addresses: where changes of tasks are sent. The last change that was sent is known by when the
//! task had changed then, so that no change is forgotten and none needs a row of its own.

use std::fmt;

use agenttrust::Timestamp;

use super::db::query;
use super::row::from_row;
use super::tasks::{RawTask, task_columns};
use super::{Store, StoreError, TaskRow, from_micros};

/// The largest number of push addresses of one task, for one owner.
pub(crate) const TASK_PUSHES_MOST: i64 = 10;
/// The number of push addresses that are looked at at once.
const AT_ONCE: i64 = 64;

macro_rules! columns {
    () => {
        "p.id, p.task_id, p.owner, p.name, p.version, p.url, p.scheme, p.secret, p.created_by, p.session_id, p.created_at, \
         p.told_at"
    };
}

const COUNT: &str =
    "SELECT COUNT(*) FROM task_pushes WHERE task_id = $1 AND owner = $2 AND name <> $3";
// One of the same name is another one from now on.
const FORGET: &str = "DELETE FROM task_pushes WHERE task_id = $1 AND owner = $2 AND name = $3";
const INSERT: &str = "INSERT INTO task_pushes (id, task_id, owner, name, version, url, scheme, secret, created_by, \
                      session_id, created_at, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM task_pushes p WHERE p.task_id = $1 AND p.owner = $2 ORDER BY p.created_at, p.id"
);
const DUE: &str = "SELECT p.id FROM task_pushes p JOIN tasks t ON t.id = p.task_id WHERE p.is_over = 0 \
                   AND p.next_at <= $1 AND t.changed_at > p.told_at ORDER BY p.next_at LIMIT $2";
// The conditions are repeated: of two replicas that see the same row, the second one finds it leased.
const LEASE: &str = "UPDATE task_pushes SET next_at = $3, attempts = attempts + 1, \
                     begun_at = CASE WHEN attempts = 0 THEN $2 ELSE begun_at END \
                     WHERE id = $1 AND is_over = 0 AND next_at <= $2 RETURNING attempts, begun_at";
const LEASED: &str = concat!("SELECT ", columns!(), " FROM task_pushes p WHERE p.id = $1");
const TASK_OF: &str = concat!("SELECT ", task_columns!(), " FROM tasks WHERE id = $1");
const TOLD: &str = "UPDATE task_pushes SET told_at = $3, attempts = 0, next_at = 0, is_over = $4 \
                    WHERE id = $1 AND attempts = $2";
const AGAIN: &str = "UPDATE task_pushes SET next_at = $3 WHERE id = $1 AND attempts = $2";
// It was not tried, so that it is no attempt.
const PUT_OFF: &str =
    "UPDATE task_pushes SET next_at = $3, attempts = 0 WHERE id = $1 AND attempts = $2";
const END: &str = "UPDATE task_pushes SET is_over = 1 WHERE id = $1 AND attempts = $2";
const REMOVE: &str = "DELETE FROM task_pushes WHERE id = $1";

/// A push address: where changes of a task are sent.
#[derive(Clone)]
pub(crate) struct TaskPushRow {
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) owner: String,
    /// The name that its owner gives it.
    pub(crate) name: String,
    /// The version of A2A in whose words changes are sent.
    pub(crate) version: String,
    pub(crate) url: String,
    pub(crate) scheme: Option<String>,
    /// Sealed.
    pub(crate) secret: Option<String>,
    pub(crate) created_by: String,
    /// The session in which it was asked for.
    pub(crate) session_id: Option<String>,
    pub(crate) created_at: Timestamp,
    /// The time of the task as it was sent last.
    pub(crate) told_at: Timestamp,
}

// A path or a query may be as good as a password.
impl fmt::Debug for TaskPushRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskPushRow").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A change that is to be sent, and is this replica's to send, for a while.
#[derive(Clone, Debug)]
pub(crate) struct LeasedPush {
    pub(crate) push: TaskPushRow,
    pub(crate) task: TaskRow,
    /// The number of attempts, this one included.
    pub(crate) attempts: i64,
    /// The time when it was tried first.
    pub(crate) begun_at: Timestamp,
}

from_row! {
    struct Raw {
        id: String,
        task_id: String,
        owner: String,
        name: String,
        version: String,
        url: String,
        scheme: Option<String>,
        secret: Option<String>,
        created_by: String,
        session_id: Option<String>,
        created_at: i64,
        told_at: i64,
    }
}

impl TryFrom<Raw> for TaskPushRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: raw.id,
            task_id: raw.task_id,
            owner: raw.owner,
            name: raw.name,
            version: raw.version,
            url: raw.url,
            scheme: raw.scheme,
            secret: raw.secret,
            created_by: raw.created_by,
            session_id: raw.session_id,
            created_at: from_micros("created_at", raw.created_at)?,
            told_at: from_micros("told_at", raw.told_at)?,
        })
    }
}

impl Store {
    /// Keeps a push address for changes after its `told_at`, in the place of one of the same name; `false` where the
    /// task has as many as it may have.
    pub(crate) async fn put_task_push(&self, row: TaskPushRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.task_id).await?;
            let count = query(COUNT).bind(&row.task_id).bind(&row.owner).bind(&row.name);
            let (count,): (i64,) = count.fetch_one(&mut transaction).await?;
            if count >= TASK_PUSHES_MOST {
                return Ok(false);
            }
            let forget = query(FORGET).bind(&row.task_id).bind(&row.owner).bind(&row.name);
            forget.execute(&mut transaction).await?;
            let insert = query(INSERT)
                .bind(row.id)
                .bind(row.task_id)
                .bind(row.owner)
                .bind(row.name)
                .bind(row.version)
                .bind(row.url)
                .bind(row.scheme)
                .bind(row.secret)
                .bind(row.created_by)
                .bind(row.session_id)
                .bind(row.created_at.unix_micros())
                .bind(row.told_at.unix_micros());
            insert.execute(&mut transaction).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns the push addresses of this owner for a task, the oldest first.
    pub(crate) async fn task_pushes(
        &self,
        task_id: String,
        owner: String,
    ) -> Result<Vec<TaskPushRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIST).bind(task_id).bind(owner).fetch_all(&db).await?;
            rows.into_iter().map(TaskPushRow::try_from).collect()
        })
        .await
    }

    /// Forgets one by its name; one that is not there is forgotten already.
    pub(crate) async fn delete_task_push(
        &self,
        task_id: String,
        owner: String,
        name: String,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            query(FORGET).bind(task_id).bind(owner).bind(name).execute(&db).await.map(drop)
        })
        .await
    }

    /// Returns some of the push addresses that something is to be sent to at `now`, the longest overdue first.
    pub(crate) async fn task_pushes_due(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.run(move |db| async move {
            let due: Vec<(String,)> =
                query(DUE).bind(now.unix_micros()).bind(AT_ONCE).fetch_all(&db).await?;
            Ok(due.into_iter().map(|(id,)| id).collect())
        })
        .await
    }

    /// Takes one to tell it: the caller's alone until `until`.
    pub(crate) async fn lease_task_push(
        &self,
        id: String,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<LeasedPush>, StoreError> {
        self.run(move |db| async move {
            let lease = query(LEASE).bind(&id).bind(now.unix_micros()).bind(until.unix_micros());
            let leased: Option<(i64, i64)> = lease.fetch_optional(&db).await?;
            let Some((attempts, begun_at)) = leased else { return Ok(None) };
            let row: Option<Raw> = query(LEASED).bind(id).fetch_optional(&db).await?;
            let Some(push) = row.map(TaskPushRow::try_from).transpose()? else { return Ok(None) };
            let task: Option<RawTask> =
                query(TASK_OF).bind(&push.task_id).fetch_optional(&db).await?;
            let Some(task) = task.map(TaskRow::try_from).transpose()? else { return Ok(None) };
            let begun_at = from_micros("begun_at", begun_at)?;
            Ok(Some(LeasedPush { push, task, attempts, begun_at }))
        })
        .await
    }

    /// Records that a change was pushed; nothing more is pushed where the task has ended.
    pub(crate) async fn task_push_told(&self, leased: &LeasedPush) -> Result<(), StoreError> {
        let told = query(TOLD)
            .bind(&leased.push.id)
            .bind(leased.attempts)
            .bind(leased.task.changed_at.unix_micros())
            .bind(i64::from(leased.task.state().is_terminal()));
        self.run(move |db| async move { told.execute(&db).await.map(drop) }).await
    }

    /// Gives one back that was not tried, to be looked at again at `next`.
    pub(crate) async fn put_off_task_push(
        &self,
        leased: &LeasedPush,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        let off =
            query(PUT_OFF).bind(&leased.push.id).bind(leased.attempts).bind(next.unix_micros());
        self.run(move |db| async move { off.execute(&db).await.map(drop) }).await
    }

    /// Forgets one whose owner is gone.
    pub(crate) async fn remove_task_push(&self, leased: &LeasedPush) -> Result<(), StoreError> {
        let remove = query(REMOVE).bind(&leased.push.id);
        self.run(move |db| async move { remove.execute(&db).await.map(drop) }).await
    }

    /// Gives one back, to be tried again at `next`; for good where there is no such time.
    pub(crate) async fn task_push_failed(
        &self,
        leased: &LeasedPush,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (id, attempts) = (&leased.push.id, leased.attempts);
        let statement = match next {
            Some(next) => query(AGAIN).bind(id).bind(attempts).bind(next.unix_micros()),
            None => query(END).bind(id).bind(attempts),
        };
        self.run(move |db| async move { statement.execute(&db).await.map(drop) }).await
    }
}
